import numpy as np
import pytest
import statsmodels.api as sm

from nt_ray.errors import RiskError
from nt_ray.portfolio.regimes import RegimeModel, fit_regimes
from nt_ray.types import FloatArray

MOVES = np.array([[0.98, 0.02], [0.05, 0.95]])
CORRELATIONS = (0.1, 0.8)
VOLATILITIES = (0.01, 0.03)


def chain(periods: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two assets, calm and little correlated or wild and much correlated; and the state of each period."""
    draws = np.random.default_rng(seed)
    states = np.zeros(periods, dtype=int)
    for t in range(1, periods):
        states[t] = draws.random() < MOVES[states[t - 1], 1]
    scores = draws.normal(size=(periods, 2))
    correlation = np.array(CORRELATIONS)[states]
    scores[:, 1] = correlation * scores[:, 0] + np.sqrt(1 - correlation**2) * scores[:, 1]
    return scores * np.array(VOLATILITIES)[states, None], states


@pytest.fixture(scope="module")
def model() -> RegimeModel:
    return fit_regimes(chain(6000)[0], starts=2)


def test_a_synthetic_chain_is_found_again(model: RegimeModel) -> None:
    assert model.converged
    assert not model.floored
    np.testing.assert_allclose(model.transitions, MOVES, atol=0.015)
    np.testing.assert_allclose(model.volatilities, np.array(VOLATILITIES)[:, None] * np.ones(2), rtol=0.05)
    np.testing.assert_allclose(model.correlations[:, 0, 1], CORRELATIONS, atol=0.05)
    np.testing.assert_allclose(model.stationary, [5 / 7, 2 / 7], atol=0.06)
    np.testing.assert_allclose(model.durations, [50, 20], rtol=0.35)


def test_states_of_other_returns_are_told_apart(model: RegimeModel) -> None:
    returns, states = chain(3000, seed=1)
    assert (model.filter(returns).argmax(axis=1) == states).mean() > 0.93
    assert (model.smooth(returns).argmax(axis=1) == states).mean() > 0.96


def test_the_filter_does_not_know_the_future(model: RegimeModel) -> None:
    returns, _ = chain(300, seed=2)
    changed = returns.copy()
    changed[200:] *= 10.0
    np.testing.assert_array_equal(model.filter(changed)[:200], model.filter(returns)[:200])
    np.testing.assert_array_equal(model.filter(returns[:200]), model.filter(returns)[:200])
    assert not np.array_equal(model.smooth(changed)[:200], model.smooth(returns)[:200])
    np.testing.assert_allclose(model.forecast(returns), model.filter(returns) @ model.transitions)
    np.testing.assert_allclose(model.smooth(returns)[-1], model.filter(returns)[-1], rtol=1e-12)


def test_chances_and_likelihood_are_those_of_statsmodels(index: FloatArray) -> None:
    returns = 100.0 * index
    fit = sm.tsa.MarkovRegression(returns, k_regimes=2, switching_variance=True).fit()
    stay, leave, low, high, calm, wild = fit.params
    theirs = RegimeModel(
        means=np.array([[low], [high]]), covariances=np.array([[[calm]], [[wild]]]),
        transitions=np.array([[stay, 1 - stay], [leave, 1 - leave]]), log_likelihood=np.nan, iterations=0,
        converged=True, floored=False,
    )  # fmt: skip
    assert theirs.log_likelihood_of(returns) == pytest.approx(fit.llf, abs=1e-6)
    np.testing.assert_allclose(theirs.filter(returns), fit.filtered_marginal_probabilities, atol=1e-7)
    np.testing.assert_allclose(theirs.smooth(returns), fit.smoothed_marginal_probabilities, atol=1e-7)
    ours = fit_regimes(returns)
    # Their search includes the stationary start, which the rounds of ours leave out.
    assert ours.log_likelihood == pytest.approx(fit.llf, abs=0.1)
    np.testing.assert_allclose(ours.volatilities[:, 0], np.sqrt([calm, wild]), rtol=0.01)
    assert ours.bic(1500) == pytest.approx(6 * np.log(1500) - 2 * ours.log_likelihood)


def test_a_seed_gives_one_model_and_units_do_not_matter() -> None:
    returns = chain(800, seed=3)[0]
    one, other = fit_regimes(returns, seed=5, starts=2), fit_regimes(returns, seed=5, starts=2)
    assert np.array_equal(one.covariances, other.covariances)
    scaled = fit_regimes(returns * 1000.0, seed=5, starts=2)
    np.testing.assert_allclose(scaled.covariances, one.covariances * 1e6, rtol=1e-6)


def test_what_cannot_be_fitted_is_refused(model: RegimeModel) -> None:
    with pytest.raises(RiskError, match=r"39 periods are too few for 2 regimes of 1 assets. Give at least 40"):
        fit_regimes(np.linspace(0, 1, 39))
    with pytest.raises(RiskError, match="at least 2 states"):
        fit_regimes(np.linspace(0, 1, 100), states=1)
    with pytest.raises(RiskError, match="Asset 0 does not vary"):
        fit_regimes(np.full(100, 0.1))
    with pytest.raises(RiskError, match="3 assets, but the model has 2"):
        model.filter(np.zeros((5, 3)))
    with pytest.raises(RiskError, match=r"Returns at \(2, 0\): nan"):
        fit_regimes([0.1, 0.2, np.nan])


def test_a_state_without_variance_is_held_at_the_least_and_reported() -> None:
    returns = np.random.default_rng(4).normal(0, 0.01, 600)
    returns[200:400] = 0.0
    held = fit_regimes(returns, starts=1)
    assert held.floored
    assert held.volatilities[0, 0] == pytest.approx(0.01 * returns.std(), rel=0.01)
    assert held.filter(returns)[250:400, 0].min() > 0.9
