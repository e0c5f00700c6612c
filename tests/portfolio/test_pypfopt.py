"""The optimisers beside PyPortfolioOpt's recorded answers on skfolio's stocks (benchmarks/peers/pypfopt_values.py)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.moments.black_litterman import absolute, black_litterman
from nt_ray.portfolio.moments.sample import sample
from nt_ray.portfolio.moments.shrinkage import ledoit_wolf
from nt_ray.portfolio.optimise.constraints import Constraints
from nt_ray.portfolio.optimise.cvar import min_cvar
from nt_ray.portfolio.optimise.frontier import max_sharpe, target_return
from nt_ray.portfolio.optimise.hrp import hrp
from nt_ray.portfolio.optimise.mean_variance import mean_variance, minimum_variance
from nt_ray.types import FloatArray

TOLD: dict[str, Any] = json.loads((Path(__file__).parent / "recorded" / "pypfopt.json").read_text())
PANEL = load_embedded("sp500")
ROWS = PANEL.timestamps >= np.datetime64(TOLD["first"], "ns").astype(np.int64)
PRICES = PANEL.closes[ROWS]
RETURNS: FloatArray = PRICES[1:] / PRICES[:-1] - 1.0
YEARLY = 252.0
COVARIANCE = sample(RETURNS) * YEARLY
MEAN: FloatArray = np.prod(1.0 + RETURNS, axis=0) ** (YEARLY / len(RETURNS)) - 1.0
CAPPED = Constraints(upper=TOLD["cap"])


def recorded(name: str) -> FloatArray:
    return np.array(TOLD[name])


def test_both_see_the_same_moments() -> None:
    assert list(PANEL.symbols) == TOLD["names"]
    np.testing.assert_allclose(MEAN, recorded("mean"), rtol=1e-10)
    np.testing.assert_allclose(np.diag(COVARIANCE), recorded("sample_diagonal"), rtol=1e-10)
    # The peer shrinks the covariance with divisor T, like scikit-learn.
    np.testing.assert_allclose(ledoit_wolf(RETURNS)[0] * YEARLY, recorded("ledoit_wolf_first_row"), rtol=1e-10)


@pytest.mark.parametrize(("name", "limits"), [("min_volatility", CAPPED), ("cla_min_volatility", Constraints())])
def test_the_least_variance_is_the_peers(name: str, limits: Constraints) -> None:
    ours, peer = minimum_variance(COVARIANCE, limits), recorded(name)
    # The peer's interior point stops short of the corner.
    np.testing.assert_allclose(ours.weights, peer, atol=1e-4)
    assert ours.objective <= peer @ COVARIANCE @ peer * (1 + 1e-8)


@pytest.mark.parametrize("name", ["max_sharpe", "cla_max_sharpe"])
def test_the_best_ratio_is_the_peers(name: str) -> None:
    ours, peer = max_sharpe(MEAN, COVARIANCE), recorded(name)
    np.testing.assert_allclose(ours.weights, peer, atol=2e-5)
    assert ours.objective >= MEAN @ peer / np.sqrt(peer @ COVARIANCE @ peer) * (1 - 1e-8)


def test_the_best_utility_is_the_peers() -> None:
    ours, peer = mean_variance(MEAN, COVARIANCE, 5.0, CAPPED), recorded("max_quadratic_utility")
    np.testing.assert_allclose(ours.weights, peer, atol=2e-5)


def test_the_calmest_way_to_a_return_is_the_peers() -> None:
    ours, peer = target_return(MEAN, COVARIANCE, 0.2), recorded("efficient_return_20")
    np.testing.assert_allclose(ours.weights, peer, atol=2e-5)


def test_hierarchical_risk_parity_is_the_peers_to_the_last_digits() -> None:
    np.testing.assert_allclose(hrp(returns=RETURNS).weights, recorded("hrp"), atol=1e-14)


def test_the_least_shortfall_is_no_worse_than_the_peers() -> None:
    ours, peer = min_cvar(RETURNS, 0.95, CAPPED), recorded("min_cvar")
    # The peer minimises z + mean(max(loss - z, 0)) / 5 %; its least over z at the peer's own weights:
    losses = np.sort(-RETURNS @ peer)[::-1]
    whole = int(0.05 * len(losses))
    part = 0.05 * len(losses) - whole
    shortfall = (losses[:whole].sum() + part * losses[whole]) / (0.05 * len(losses))
    assert ours.objective <= shortfall * (1 + 1e-8)
    assert ours.objective == pytest.approx(shortfall, rel=1e-5)


def test_views_move_the_prior_as_the_peers_do() -> None:
    views = [absolute(name, expected) for name, expected in TOLD["views"].items()]
    prior = np.full(len(TOLD["names"]), 1.0 / len(TOLD["names"]))
    found = black_litterman(ledoit_wolf(RETURNS) * YEARLY, prior, views, TOLD["names"], tau=0.05)
    np.testing.assert_allclose(found.expected, recorded("black_litterman"), rtol=1e-9)
