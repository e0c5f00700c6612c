import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from nt_ray.errors import RiskError
from nt_ray.portfolio.correlation import average, ewma_correlations, rolling, shrunk
from nt_ray.portfolio.moments.sample import ewma
from nt_ray.types import FloatArray


def test_every_window_has_the_correlations_of_numpy(stocks: FloatArray) -> None:
    found = rolling(stocks[:200, :5], 60)
    assert found.shape == (141, 5, 5)
    for start in (0, 77, 140):
        np.testing.assert_allclose(found[start], np.corrcoef(stocks[start : start + 60, :5].T), atol=1e-12)


def test_blocks_do_not_change_the_answer(stocks: FloatArray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rolling(stocks[:100], 30)
    monkeypatch.setattr("nt_ray.portfolio.correlation._BLOCK", 30 * 20 * 7)
    assert np.array_equal(rolling(stocks[:100], 30), whole)


def test_a_window_in_which_an_asset_stands_still_has_no_correlation(stocks: FloatArray) -> None:
    returns = stocks[:50, :2].copy()
    returns[10:20, 0] = 0.1
    found = rolling(returns, 10)
    assert np.isnan(found[10, 0]).all()
    assert found[10, 1, 1] == 1.0
    assert np.isfinite(found[9]).all()
    assert np.isfinite(found[11]).all()


def test_weighted_correlations_end_at_the_weighted_covariance(stocks: FloatArray) -> None:
    found = ewma_correlations(stocks[:300], decay=0.97, start=40)
    assert found.shape == (261, 20, 20)
    for periods in (40, 300):
        covariance = ewma(stocks[:periods], decay=0.97)
        scale = np.sqrt(covariance.diagonal())
        np.testing.assert_allclose(found[periods - 40], covariance / np.outer(scale, scale), rtol=1e-10, atol=1e-12)


def test_correlations_of_the_past_do_not_know_the_future(stocks: FloatArray) -> None:
    changed = stocks[:120].copy()
    changed[100:] = -changed[100:, ::-1]
    for path in (lambda x: rolling(x, 30), lambda x: ewma_correlations(x, start=30)):
        np.testing.assert_array_equal(path(changed)[:71], path(stocks[:120])[:71])


def test_shrunk_correlations_are_those_of_scikit_learn_on_standardised_returns(stocks: FloatArray) -> None:
    scores = (stocks - stocks.mean(axis=0)) / stocks.std(axis=0)
    np.testing.assert_allclose(shrunk(stocks), ledoit_wolf(scores)[0], atol=1e-12)
    assert average(shrunk(stocks[:30])) < average(np.corrcoef(stocks[:30].T))


def test_the_average_leaves_out_the_diagonal() -> None:
    assert average(np.array([[1.0, 0.2, 0.4], [0.2, 1.0, 0.6], [0.4, 0.6, 1.0]])) == pytest.approx(0.4)
    assert np.isnan(average(np.ones((3, 1, 1)))).all()


def test_bad_requests_are_refused(stocks: FloatArray) -> None:
    with pytest.raises(RiskError, match="window=1"):
        rolling(stocks, 1)
    with pytest.raises(RiskError, match="at least 2000"):
        rolling(stocks, 2000)
    with pytest.raises(RiskError, match="decay=1"):
        ewma_correlations(stocks, decay=1.0)
    with pytest.raises(RiskError, match="Asset 1 does not vary"):
        shrunk(np.column_stack([stocks[:, 0], np.full(1500, 0.1)]))
