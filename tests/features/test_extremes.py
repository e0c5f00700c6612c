from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.features import extremes


@given(st.integers(1, 12), st.lists(st.sampled_from([-2.0, -0.5, 0.0, 1.0, 1.5, 7.0]), max_size=80))
def test_it_is_the_highest_of_a_queue_of_fixed_length(length: int, values: list[float]) -> None:
    state, queue = np.zeros(extremes.state_size(length)), deque[float](maxlen=length)
    for count, value in enumerate(values, 1):
        queue.append(value)
        assert extremes.push(state, value, length) == max(queue)
        assert extremes.highest(state, length) == max(queue)
        assert extremes.seen(state) == count


def test_rising_and_falling_runs_longer_than_the_window() -> None:
    for values in (np.arange(200.0), np.arange(200.0)[::-1], np.zeros(200)):
        state = np.zeros(extremes.state_size(9))
        found = [extremes.push(state, v, 9) for v in values]
        assert found == [values[max(t - 8, 0) : t + 1].max() for t in range(200)]
