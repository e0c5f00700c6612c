import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.neural.drift.cusum import cusum, miss_ratios, normal_ratios
from nt_ray.neural.problems import NeuralError


@given(st.lists(st.floats(-3, 3), max_size=60), st.floats(0, 2))
def test_the_sum_is_that_of_its_recursion(ratios: list[float], start: float) -> None:
    level, highest, began, alarm, zero = start, start, None, None, -1
    for row, ratio in enumerate(ratios):
        level = max(0.0, level + ratio)
        zero = row if level <= 1e-12 else zero
        highest = max(highest, level)
        if alarm is None and level >= math.log(20) + 1e-9:
            alarm, began = row, zero + 1
    watch = cusum(np.array(ratios), 20, start)
    assert watch.highest == pytest.approx(highest, abs=1e-9)
    assert watch.last == pytest.approx(level, abs=1e-9)
    assert (watch.rows, watch.threshold) == (len(ratios), math.log(20))
    if alarm is not None and abs(watch.highest - watch.threshold) > 1e-6:
        assert watch.alarm is not None
        assert watch.alarm <= alarm
        assert (watch.began is None) == (began is None)


def test_rows_in_pieces_are_rows_in_one() -> None:
    ratios = normal_ratios(np.random.default_rng(2).normal(size=500))
    whole, level = cusum(ratios, 1e6), 0.0
    for piece in np.array_split(ratios, 7):
        level = cusum(piece, 1e6, level).last
    assert level == pytest.approx(whole.last)


def test_the_change_is_dated() -> None:
    watch = cusum(np.r_[np.full(40, -1.0), np.full(10, 1.0)], math.exp(5))
    assert (watch.began, watch.alarm) == (40, 44)


def test_ratios_have_mean_one_before_the_change() -> None:
    # The condition under which the mean number of rows to a false alarm is proven.
    scores = np.random.default_rng(4).normal(size=200_000)
    assert np.exp(normal_ratios(scores)).mean() == pytest.approx(1, abs=0.01)
    for before in (0.02, 0.12, 0.3):
        hit, miss = np.exp(miss_ratios(np.array([False, True]), before, 2 * before))
        assert before * miss + (1 - before) * hit == pytest.approx(1)


def test_what_makes_no_detector_is_refused() -> None:
    with pytest.raises(NeuralError, match="run length of 1 "):
        cusum(np.zeros(3), 1)
    with pytest.raises(NeuralError, match="without a value"):
        cusum(np.array([0.0, np.nan]), 10)
    for rates in ((0.0, 0.1), (0.2, 0.1), (0.5, 1.0)):
        with pytest.raises(NeuralError, match="fit no test"):
            miss_ratios(np.array([True]), *rates)
