import numpy as np
import pytest

from nt_ray.features.base import FeatureError
from nt_ray.features.ols import HEDGE_RATIO
from nt_ray.features.sma import SMA
from nt_ray.features.stddev import STDDEV


@pytest.mark.parametrize(("feature", "length"), [(SMA, 0), (SMA, -3), (STDDEV, 1), (HEDGE_RATIO, 1)])
def test_a_length_below_the_least_is_refused(feature: object, length: int) -> None:
    with pytest.raises(FeatureError, match=f"length {length} is not usable"):
        feature(*[np.ones(5)] * feature.inputs, length=length)  # type: ignore[operator,attr-defined]


def test_a_broken_length_is_refused() -> None:
    with pytest.raises(FeatureError, match=r"length 2\.5"):
        SMA(np.ones(5), length=2.5)  # type: ignore[arg-type]


def test_the_number_of_series_is_checked() -> None:
    with pytest.raises(FeatureError, match="It takes 1"):
        SMA(np.ones(5), np.ones(5), length=2)
    with pytest.raises(FeatureError, match="It takes 2"):
        HEDGE_RATIO(np.ones(5), length=2)


def test_series_of_different_length_are_refused() -> None:
    with pytest.raises(FeatureError, match="do not fit"):
        HEDGE_RATIO(np.ones(5), np.ones(6), length=2)
    with pytest.raises(FeatureError, match="do not fit"):
        SMA(np.ones((5, 2)), length=2)


def test_read_only_and_strided_series_are_taken() -> None:
    values = np.arange(20.0)
    values.setflags(write=False)
    assert SMA(values[::2], length=2)[-1] == 17.0
    assert SMA(values, length=2)[-1] == 18.5
