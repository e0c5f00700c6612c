from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, stats

from nt_ray.neural.scoring.distributions import (
    calibration,
    coverage,
    crps_from_quantiles,
    crps_normal,
    crps_samples,
    crps_student_t,
    interval_score,
    level_weights,
    pinball,
    pit_cells,
    rolling_coverage,
    width,
)
from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.types import FloatArray

NAN = float("nan")
LEVELS = np.array([0.1, 0.5, 0.9])


def crps_by_integration(y: float, cdf: Callable[[float], float]) -> float:
    """The definition: integral of (F(x) - 1{x >= y})^2."""
    below = integrate.quad(lambda x: cdf(x) ** 2, -np.inf, y)[0]
    above = integrate.quad(lambda x: (1.0 - cdf(x)) ** 2, y, np.inf)[0]
    return float(below + above)


@pytest.mark.parametrize("y", [-4.0, 0.0, 0.3, 2.5])
def test_the_crps_of_a_normal_forecast_is_its_definition(y: float) -> None:
    found = crps_normal(np.array([y]), np.array([0.5]), np.array([1.7]))
    assert found == pytest.approx(crps_by_integration(y, stats.norm(0.5, 1.7).cdf), abs=1e-7)


def test_the_crps_of_a_normal_forecast_at_its_centre_is_known() -> None:
    # 2 phi(0) - 1/sqrt(pi), the value that properscoring and scoringRules print.
    assert crps_normal(np.zeros(1), np.zeros(1), np.ones(1)) == pytest.approx(0.23369497725510913, abs=1e-14)


@pytest.mark.parametrize("freedom", [1.5, 3.0, 12.0])
@pytest.mark.parametrize("y", [-3.0, 0.2])
def test_the_crps_of_a_student_forecast_is_its_definition(freedom: float, y: float) -> None:
    given = [np.array([v]) for v in (y, 0.5, 1.7, freedom)]
    assert crps_student_t(*given) == pytest.approx(crps_by_integration(y, stats.t(freedom, 0.5, 1.7).cdf), rel=1e-5)


def test_the_crps_of_samples_is_the_double_sum() -> None:
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(4, 3)), rng.normal(size=(4, 3, 25))
    first = np.abs(x - y[..., None]).mean(axis=-1)
    second = np.abs(x[..., :, None] - x[..., None, :]).mean(axis=(-1, -2)) / 2.0
    assert crps_samples(y, x) == pytest.approx(float((first - second).mean()), rel=1e-12)
    assert crps_samples(y, y[..., None]) == pytest.approx(0.0, abs=1e-15)


def test_the_crps_of_quantiles_tends_to_the_closed_form_as_levels_fill_the_range() -> None:
    y = np.array([-2.0, 0.1, 1.4])
    exact = crps_normal(y, np.zeros(3), np.ones(3))
    assert exact is not None
    errors = []
    for count in (9, 99, 999):
        levels = np.arange(1, count + 1) / (count + 1.0)
        found = crps_from_quantiles(y, np.tile(stats.norm.ppf(levels), (3, 1)), levels)
        assert found is not None
        errors.append(abs(found / exact - 1.0))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_cells_of_levels_fill_zero_to_one() -> None:
    np.testing.assert_allclose(level_weights(np.array([0.1, 0.2, 0.7])), [0.15, 0.3, 0.55])


def test_pinball_loss_worked_by_hand() -> None:
    truth = np.array([1.0, NAN])
    quantiles = np.array([[0.0, 1.0, 3.0], [9.0, 9.0, 9.0]])
    losses = pinball(truth, quantiles, LEVELS)
    assert losses is not None
    np.testing.assert_allclose(losses, [0.1 * 1.0, 0.0, 0.1 * 2.0])


def test_pinball_loss_is_least_at_the_true_quantile() -> None:
    y = np.random.default_rng(1).normal(size=20_000)
    best = stats.norm.ppf(LEVELS)
    shifted = [pinball(y, np.tile(best + by, (len(y), 1)), LEVELS) for by in (-0.3, 0.0, 0.3)]
    assert all(s is not None for s in shifted)
    low, middle, high = (np.asarray(s) for s in shifted)
    assert (middle < low).all()
    assert (middle < high).all()


def test_coverage_width_and_interval_score_worked_by_hand() -> None:
    truth = np.array([0.0, 1.0, 2.0, NAN])
    low, high = np.array([-1.0, 0.0, 3.0, 0.0]), np.array([1.0, 1.0, 5.0, 9.0])
    assert coverage(truth, low, high) == pytest.approx(2.0 / 3.0)
    assert width(truth, low, high) == pytest.approx(5.0 / 3.0)
    assert interval_score(truth, low, high, 0.8) == pytest.approx((5.0 + 10.0 * 1.0) / 3.0)


def test_rolling_coverage_counts_the_last_origins_over_series_and_steps() -> None:
    truth = np.zeros((1, 4, 2))
    truth[0, 2, 0] = NAN
    low, high = np.full(truth.shape, -1.0), np.full(truth.shape, 1.0)
    low[0, 1, :] = 0.5
    np.testing.assert_allclose(rolling_coverage(truth, low, high, 2), [2 / 4, 1 / 3, 3 / 3])
    with pytest.raises(ScoreError, match="window of 5"):
        rolling_coverage(truth, low, high, 5)


def test_a_calibrated_forecast_has_a_flat_histogram_and_a_narrow_one_high_ends() -> None:
    y = np.random.default_rng(2).normal(size=40_000)
    own = np.tile(stats.norm.ppf(LEVELS), (len(y), 1))
    shares, flat, narrow = (
        calibration(y, own, LEVELS),
        pit_cells(y, own, LEVELS),
        pit_cells(y, 0.5 * own, LEVELS),
    )
    assert shares is not None
    assert flat is not None
    assert narrow is not None
    np.testing.assert_allclose(shares, LEVELS, atol=0.01)
    np.testing.assert_allclose(flat, 1.0, atol=0.06)
    assert narrow[0] > 2.0
    assert narrow[-1] > 2.0


@pytest.mark.parametrize("levels", [[0.5, 0.1], [0.0, 0.5], [0.5, 1.0], [0.5, 0.5]])
def test_levels_that_are_none_are_refused(levels: list[float]) -> None:
    with pytest.raises(ScoreError, match="Levels"):
        pinball(np.zeros(2), np.zeros((2, 2)), np.array(levels))


@pytest.mark.parametrize(
    "score",
    [
        lambda y: crps_normal(y, y * 0, y * 0),
        lambda y: crps_student_t(y, y * 0, y * 0 + 1, y * 0 + 1),
        lambda y: coverage(y, y * NAN, y),
        lambda y: crps_samples(y, np.full((2, 3), NAN)),
    ],
)
def test_what_is_no_distribution_is_refused(score: Callable[[FloatArray], float | None]) -> None:
    with pytest.raises(ScoreError):
        score(np.ones(2))


def test_nothing_observed_gives_no_score() -> None:
    nothing = np.full(2, NAN)
    three = np.zeros((2, 3))
    assert pinball(nothing, three, LEVELS) is None
    assert crps_from_quantiles(nothing, three, LEVELS) is None
    assert crps_samples(nothing, three) is None
    assert crps_normal(nothing, nothing, nothing) is None
    assert crps_student_t(nothing, nothing, nothing, nothing) is None
    assert pit_cells(nothing, three, LEVELS) is None
    assert coverage(nothing, nothing, nothing) is None
    assert width(nothing, nothing, nothing) is None
    assert interval_score(nothing, nothing, nothing, 0.8) is None
