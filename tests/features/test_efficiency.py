import numpy as np
import pytest

from nt_ray.features.efficiency import EFFICIENCY
from nt_ray.types import FloatArray


@pytest.mark.parametrize("length", [1, 5, 60])
def test_it_is_progress_over_way_in_each_window(prices: FloatArray, length: int) -> None:
    logs = np.log(prices[:2000, 0])
    found = EFFICIENCY(logs, length=length)
    for t in range(length, 2000):
        way = np.abs(np.diff(logs[t - length : t + 1])).sum()
        expected = abs(logs[t] - logs[t - length]) / way if way else 0.0
        assert found[t] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert np.isnan(found[:length]).all()


def test_a_line_is_one_a_way_there_and_back_nothing() -> None:
    assert EFFICIENCY(np.arange(30.0), length=7)[-1] == 1.0
    assert EFFICIENCY(-np.arange(30.0), length=7)[-1] == 1.0
    assert EFFICIENCY(np.tile([0.0, 1.0], 15), length=8)[-1] == 0.0
    assert EFFICIENCY(np.full(30, 0.1), length=8)[-1] == 0.0
