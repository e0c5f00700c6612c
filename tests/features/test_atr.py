import numpy as np
import pytest
import talib

from nt_ray.features.atr import ATR
from nt_ray.features.true_range import true_range
from nt_ray.types import FloatArray

NAN = float("nan")


@pytest.mark.parametrize(
    ("high", "low", "expected"),
    [(12.0, 9.0, 3.0), (9.5, 9.0, 1.0), (12.0, 11.0, 2.0), (NAN, 9.0, 0.5), (12.0, NAN, 0.5), (NAN, NAN, 0.5)],
)
def test_the_true_range_counts_the_gap_and_falls_back_on_the_closes(high: float, low: float, expected: float) -> None:
    bar = np.array([NAN, high, low, 9.5, NAN])
    assert true_range(bar, 10.0) == expected


def test_with_closes_alone_it_smooths_the_moves_between_them(bars: FloatArray) -> None:
    alone = np.full((600, 5), np.nan)
    alone[:, 3] = bars[:600, 3]
    closes = np.ascontiguousarray(bars[:600, 3])
    np.testing.assert_allclose(ATR(alone, length=14)[:, 0], talib.ATR(closes, closes, closes, 14), rtol=1e-9)
