"""Weights by skfolio, PyPortfolioOpt and riskfolio-lib as a service; see benchmarks/risk.py.

The only argument is a folder with returns.npy (T, N), covariance.npy (N, N) and expected.npy (N,). Each library gets
the data in the form it wants before the clock starts; timed is the building of its problem and the solving. Solvers,
and settings not named here, are each library's own.
"""

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import riskfolio
from pypfopt import EfficientCVaR, EfficientFrontier, HRPOpt
from pypfopt.risk_models import CovarianceShrinkage
from service import serve
from skfolio import RiskMeasure
from skfolio.cluster import HierarchicalClustering, LinkageMethod
from skfolio.moments import BaseCovariance, BaseMu, LedoitWolf
from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting
from skfolio.prior import EmpiricalPrior
from skfolio.seriation import HierarchicalSeriation

FOLDER = Path(sys.argv[1])
X = np.load(FOLDER / "returns.npy")
COVARIANCE = np.load(FOLDER / "covariance.npy")
EXPECTED = np.load(FOLDER / "expected.npy")
NAMES = [f"A{i:04d}" for i in range(X.shape[1])]
RETURNS = pd.DataFrame(X, columns=NAMES)
CAP, AVERSION, CONFIDENCE = 0.1, 5.0, 0.95


class GivenCovariance(BaseCovariance):
    """skfolio takes a covariance from an estimator only: this one estimates nothing."""

    def __init__(self) -> None:
        super().__init__(nearest=False)

    def fit(self, X: Any, y: Any = None) -> "GivenCovariance":
        """Take the covariance."""
        self.location_ = np.zeros(len(COVARIANCE))
        self._set_covariance(COVARIANCE)
        return self


class GivenMu(BaseMu):
    """The same for expected returns."""

    def __init__(self) -> None:
        """Nothing is set."""

    def fit(self, X: Any, y: Any = None) -> "GivenMu":
        """Take the means."""
        self.mu_ = EXPECTED
        return self


def given() -> EmpiricalPrior:
    return EmpiricalPrior(mu_estimator=GivenMu(), covariance_estimator=GivenCovariance())


def skfolio_hrp() -> Any:
    tree = HierarchicalClustering(linkage_method=LinkageMethod.SINGLE)
    order = HierarchicalSeriation(hierarchical_clustering_estimator=tree, optimal_ordering=False)
    return HierarchicalRiskParity(seriation_estimator=order).fit(X).weights_


def skfolio_mean_risk(**settings: Any) -> Any:
    return MeanRisk(max_weights=CAP, **settings).fit(X).weights_


def pypfopt_frontier(covariance: pd.DataFrame) -> EfficientFrontier:
    return EfficientFrontier(pd.Series(EXPECTED, NAMES), covariance, weight_bounds=(0, CAP))


def in_order(weights: dict[str, float]) -> Any:
    return [weights[name] for name in NAMES]


def pypfopt_cvar() -> Any:
    frontier = EfficientCVaR(pd.Series(EXPECTED, NAMES), RETURNS, beta=CONFIDENCE, weight_bounds=(0, CAP))
    return in_order(frontier.min_cvar())


def riskfolio_portfolio(covariance: pd.DataFrame | None = None, cap: float = CAP) -> riskfolio.Portfolio:
    portfolio = riskfolio.Portfolio(returns=RETURNS, upperlng=cap)
    if covariance is None:
        portfolio.assets_stats(method_mu="hist", method_cov="ledoit")
    else:
        portfolio.mu = pd.DataFrame(EXPECTED[None], columns=NAMES)
        portfolio.cov = covariance
    return portfolio


def riskfolio_hrp() -> Any:
    portfolio = riskfolio.HCPortfolio(returns=RETURNS)
    return portfolio.optimization(model="HRP", codependence="pearson", rm="MV", linkage="single", leaf_order=False).loc[
        NAMES
    ]


DENSE = pd.DataFrame(COVARIANCE, NAMES, NAMES)
TASKS: dict[str, Callable[[], Any]] = {
    "skfolio minimum_variance": lambda: skfolio_mean_risk(risk_measure=RiskMeasure.VARIANCE, prior_estimator=given()),
    "skfolio ledoit_wolf": lambda: skfolio_mean_risk(
        risk_measure=RiskMeasure.VARIANCE, prior_estimator=EmpiricalPrior(covariance_estimator=LedoitWolf())
    ),
    # skfolio's utility is without the half.
    "skfolio mean_variance": lambda: skfolio_mean_risk(
        risk_measure=RiskMeasure.VARIANCE,
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_aversion=AVERSION / 2,
        prior_estimator=given(),
    ),
    "skfolio min_cvar": lambda: skfolio_mean_risk(risk_measure=RiskMeasure.CVAR, cvar_beta=CONFIDENCE),
    "skfolio hrp": skfolio_hrp,
    "skfolio risk_parity": lambda: RiskBudgeting(prior_estimator=given()).fit(X).weights_,
    "pypfopt minimum_variance": lambda: in_order(pypfopt_frontier(DENSE).min_volatility()),
    "pypfopt ledoit_wolf": lambda: in_order(
        pypfopt_frontier(CovarianceShrinkage(RETURNS, returns_data=True, frequency=1).ledoit_wolf()).min_volatility()
    ),
    "pypfopt mean_variance": lambda: in_order(pypfopt_frontier(DENSE).max_quadratic_utility(AVERSION)),
    "pypfopt min_cvar": pypfopt_cvar,
    "pypfopt hrp": lambda: in_order(HRPOpt(RETURNS).optimize(linkage_method="single")),
    "riskfolio minimum_variance": lambda: riskfolio_portfolio(DENSE).optimization(rm="MV", obj="MinRisk").loc[NAMES],
    "riskfolio ledoit_wolf": lambda: riskfolio_portfolio().optimization(rm="MV", obj="MinRisk").loc[NAMES],
    "riskfolio min_cvar": lambda: riskfolio_portfolio(DENSE).optimization(rm="CVaR", obj="MinRisk").loc[NAMES],
    "riskfolio hrp": riskfolio_hrp,
    "riskfolio risk_parity": lambda: riskfolio_portfolio(DENSE, 1.0).rp_optimization(rm="MV", hist=True).loc[NAMES],
}


def timed(task: Callable[[], Any]) -> Callable[[], dict[str, Any]]:
    """Time a task alone, without the turning of its weights into text."""

    def run() -> dict[str, Any]:
        began, used = time.perf_counter(), time.process_time()
        weights = task()
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        return {"seconds": seconds, "cpu_seconds": cpu, "weights": np.asarray(weights, dtype=float).ravel().tolist()}

    return run


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve({name: timed(task) for name, task in TASKS.items()})
