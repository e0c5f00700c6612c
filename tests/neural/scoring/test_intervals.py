import numpy as np
import pytest
from scipy import stats

from nt_ray.neural.scoring.distributions import calibration, coverage
from nt_ray.neural.scoring.intervals import Calibration, interval_of, own_interval, quantiles_of
from nt_ray.neural.scoring.method import Forecasts
from nt_ray.types import FloatArray

ORIGINS = np.arange(1500)
LEVELS = (0.1, 0.5, 0.9)


def stormy(steps: int = 2) -> FloatArray:
    """Errors whose size drifts, (3, 1500, steps)."""
    rng = np.random.default_rng(0)
    size = np.exp(np.cumsum(rng.normal(0.0, 0.05, (3, 1500, 1)), axis=1))
    return size * rng.normal(size=(3, 1500, steps))


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_points_get_intervals_that_hold_through_storms(share: float) -> None:
    truth = stormy()
    bounds = interval_of(Forecasts(ORIGINS, np.zeros(truth.shape)), truth, share)
    later = slice(150, None)
    assert coverage(truth[:, later], bounds.low[:, later], bounds.high[:, later]) == pytest.approx(share, abs=0.01)


def test_quantiles_of_a_method_that_knows_nothing_of_its_errors_are_corrected() -> None:
    truth = stormy()
    own = np.tile(0.1 * stats.norm.ppf(LEVELS), (*truth.shape, 1))
    made = Forecasts(ORIGINS, np.zeros(truth.shape), LEVELS, own)
    narrow = own_interval(made, 0.8)
    assert narrow is not None
    said = coverage(truth, narrow.low, narrow.high)
    assert said is not None
    assert said < 0.6
    bounds = interval_of(made, truth, 0.8)
    later = slice(150, None)
    assert coverage(truth[:, later], bounds.low[:, later], bounds.high[:, later]) == pytest.approx(0.8, abs=0.01)
    assert own_interval(made, 0.9) is None


def test_a_methods_own_quantiles_are_left_as_they_are() -> None:
    truth = stormy()
    own = np.tile(stats.norm.ppf(LEVELS), (*truth.shape, 1))
    made = Forecasts(ORIGINS, np.zeros(truth.shape), LEVELS, own)
    np.testing.assert_array_equal(quantiles_of(made, truth, (0.1, 0.9)), own[..., [0, 2]])


def test_points_get_calibrated_quantiles_that_do_not_cross() -> None:
    truth = stormy() + 5.0
    made = Forecasts(ORIGINS, np.zeros(truth.shape))
    found = quantiles_of(made, truth, LEVELS, Calibration(window=300))[:, 150:]
    assert (np.diff(found, axis=3) >= 0.0).all()
    shares = calibration(truth[:, 150:], found, np.array(LEVELS))
    assert shares is not None
    np.testing.assert_allclose(shares, LEVELS, atol=0.03)


def test_no_interval_knows_what_comes_after_its_origin() -> None:
    truth = stormy()
    made = Forecasts(ORIGINS, np.zeros(truth.shape))
    other = truth.copy()
    # Step 2 of origin 700 is known at row 702.
    other[:, 700:] = 99.0
    for first, second in (
        (interval_of(made, truth, 0.9).high, interval_of(made, other, 0.9).high),
        (quantiles_of(made, truth, LEVELS)[..., 2], quantiles_of(made, other, LEVELS)[..., 2]),
    ):
        np.testing.assert_array_equal(first[:, :701], second[:, :701])
        np.testing.assert_array_equal(first[:, :702, 1], second[:, :702, 1])
        assert (first[:, 702:] != second[:, 702:]).any()
