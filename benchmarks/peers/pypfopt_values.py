"""What PyPortfolioOpt answers on the stocks that skfolio brings, written down for tests/portfolio/test_pypfopt.py.

Prices are those of skfolio's `sp500_dataset` from 2013 on; moments are PyPortfolioOpt's own, yearly of 252 days.
Runs in the environment that `sh benchmarks/risk_peers.sh` makes:

    .venv-peers/risk/bin/python benchmarks/peers/pypfopt_values.py > tests/portfolio/recorded/pypfopt.json
"""

import json
import sys

import pypfopt
from pypfopt import EfficientCVaR, EfficientFrontier, HRPOpt, expected_returns, risk_models
from pypfopt.black_litterman import BlackLittermanModel
from pypfopt.cla import CLA
from skfolio.datasets import load_sp500_dataset

FIRST = "2013-01-01"
CAP = 0.2
VIEWS = {"AAPL": 0.10, "XOM": 0.05, "KO": 0.02}


def weights(answer: dict[str, float], names: list[str]) -> list[float]:
    """Weights in the order of the names."""
    return [float(answer[name]) for name in names]


def main() -> None:
    """Compute and print."""
    prices = load_sp500_dataset()[FIRST:]
    names = list(prices.columns)
    returns = prices.pct_change().dropna()
    mean = expected_returns.mean_historical_return(prices)
    sample, shrunk = risk_models.sample_cov(prices), risk_models.CovarianceShrinkage(prices).ledoit_wolf()
    found = {"pypfopt": pypfopt.__version__ if hasattr(pypfopt, "__version__") else "1.6.0", "first": FIRST, "cap": CAP}
    found["names"], found["views"] = names, VIEWS
    found["mean"] = mean.tolist()
    found["sample_diagonal"] = sample.to_numpy().diagonal().tolist()
    found["ledoit_wolf_first_row"] = shrunk.to_numpy()[0].tolist()
    # Solvers are asked for accuracy: their own defaults stop at 1e-4.
    exact = {"solver": "CLARABEL"}
    found["min_volatility"] = weights(EfficientFrontier(None, sample, (0, CAP), **exact).min_volatility(), names)
    found["max_sharpe"] = weights(
        EfficientFrontier(mean, sample, (0, 1), **exact).max_sharpe(risk_free_rate=0.0), names
    )
    utility = EfficientFrontier(mean, sample, (0, CAP), **exact).max_quadratic_utility(risk_aversion=5)
    found["max_quadratic_utility"] = weights(utility, names)
    target = EfficientFrontier(mean, sample, (0, 1), **exact).efficient_return(0.2)
    found["efficient_return_20"] = weights(target, names)
    found["cla_max_sharpe"] = weights(CLA(mean, sample).max_sharpe(), names)
    found["cla_min_volatility"] = weights(CLA(mean, sample).min_volatility(), names)
    found["hrp"] = weights(HRPOpt(returns).optimize(), names)
    found["min_cvar"] = weights(EfficientCVaR(mean, returns, weight_bounds=(0, CAP), **exact).min_cvar(), names)
    model = BlackLittermanModel(shrunk, pi="equal", absolute_views=VIEWS, tau=0.05)
    found["black_litterman"] = model.bl_returns()[names].tolist()
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
