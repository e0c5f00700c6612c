import numpy as np
import pytest
from scipy import stats

from nt_ray.neural.scoring.cross_section import coefficients, information, ranks
from nt_ray.neural.scoring.scores import ScoreError

NAN = float("nan")


def test_coefficients_agree_with_scipy_period_by_period() -> None:
    rng = np.random.default_rng(0)
    truth = np.round(rng.normal(size=(12, 30)), 1)
    forecast = np.round(0.3 * truth + rng.normal(size=truth.shape), 1)
    truth[rng.random(truth.shape) < 0.2] = NAN
    forecast[rng.random(truth.shape) < 0.2] = NAN
    plain, ranked = coefficients(truth, forecast), coefficients(truth, forecast, rank=True)
    for n in range(30):
        both = np.isfinite(truth[:, n]) & np.isfinite(forecast[:, n])
        y, f = truth[both, n], forecast[both, n]
        assert plain[n] == pytest.approx(stats.pearsonr(y, f).statistic, abs=1e-12)
        assert ranked[n] == pytest.approx(stats.spearmanr(y, f).statistic, abs=1e-12)


def test_ranks_agree_with_scipy_and_leave_out_what_is_missing() -> None:
    values = np.random.default_rng(1).integers(0, 5, (9, 20)).astype(float)
    values[::4, ::3] = NAN
    np.testing.assert_array_equal(ranks(values), stats.rankdata(values, axis=0, nan_policy="omit"))


def test_periods_without_enough_pairs_or_without_variation_have_no_coefficient() -> None:
    truth = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, NAN, 3.0]])
    forecast = np.array([[1.0, 1.0, 0.1], [5.0, 5.0, 0.1], [2.0, 2.0, 0.1]])
    found = coefficients(truth, forecast)
    assert np.isfinite(found[0])
    assert np.isnan(found[1:]).all()


def test_the_summary_is_mean_over_deviation() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(8, 50))
    forecast = truth + 3.0 * rng.normal(size=truth.shape)
    values = np.array([stats.pearsonr(truth[:, n], forecast[:, n]).statistic for n in range(50)])
    found = information(truth, forecast)
    assert found is not None
    assert found.mean == pytest.approx(values.mean())
    assert found.ratio == pytest.approx(values.mean() / values.std(ddof=1))
    assert found.statistic == pytest.approx(stats.ttest_1samp(values, 0.0).statistic)
    assert found.periods == 50


def test_one_period_has_no_summary_and_other_shapes_are_refused() -> None:
    assert information(np.ones((3, 1)), np.ones((3, 1))) is None
    with pytest.raises(ScoreError, match="do not fit"):
        coefficients(np.ones((3, 2)), np.ones((3, 1)))
