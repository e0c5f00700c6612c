from collections import deque

import numpy as np
import pytest

from nt_ray.features import window


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_window_is_a_queue_of_fixed_length(length: int) -> None:
    state, queue = np.zeros(window.state_size(length)), deque[float](maxlen=length)
    for i in range(40):
        value = float(i * i)
        expected = queue[0] if len(queue) == length else np.nan
        assert window.oldest(state, length) == pytest.approx(expected, nan_ok=True, abs=0.0)
        assert window.push(state, value, length) == pytest.approx(expected, nan_ok=True, abs=0.0)
        queue.append(value)
        assert window.seen(state) == i + 1
        if len(queue) == length:
            out = np.empty(length)
            window.copy_ordered(state, length, out)
            assert out.tolist() == list(queue)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_a_window_is_flat_exactly_while_it_is_full_of_one_value(length: int) -> None:
    state = np.zeros(window.state_size(length))
    values = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.0]
    for i, value in enumerate(values):
        window.push(state, value, length)
        latest = values[max(0, i + 1 - length) : i + 1]
        assert window.is_flat(state, length) == (len(latest) == length and len(set(latest)) == 1)
