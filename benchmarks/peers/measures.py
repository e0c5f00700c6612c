"""Measures of one equity curve by empyrical-reloaded and quantstats, in an environment of their own.

    python benchmarks/peers/measures.py CURVE.csv > tests/backtest/peers/recorded/measures.json

CURVE.csv has columns date, equity, benchmark; `sh benchmarks/peer_trades.sh` makes the environment and the record.
"""

import json
import sys
import warnings

import empyrical
import pandas as pd
import quantstats
from quantstats import stats

YEAR = 252
warnings.simplefilter("ignore")


def main() -> None:
    """Print all figures as JSON."""
    frame = pd.read_csv(sys.argv[1], index_col="date", parse_dates=True)
    own, market = (frame[name].pct_change().dropna() for name in ("equity", "benchmark"))
    print(
        json.dumps(
            {
                "versions": {"empyrical-reloaded": empyrical.__version__, "quantstats": quantstats.__version__},
                "bars": len(own),
                "empyrical": by_empyrical(own, market),
                "quantstats": by_quantstats(own, market),
            },
            indent=1,
        )
    )


def by_empyrical(own: pd.Series, market: pd.Series) -> dict[str, float]:
    """Figures of empyrical."""
    return {
        "total_return": float(empyrical.cum_returns_final(own)),
        "cagr": float(empyrical.annual_return(own, annualization=YEAR)),
        "volatility": float(empyrical.annual_volatility(own, annualization=YEAR)),
        "sharpe": float(empyrical.sharpe_ratio(own, annualization=YEAR)),
        "sortino": float(empyrical.sortino_ratio(own, annualization=YEAR)),
        "downside_deviation": float(empyrical.downside_risk(own, annualization=YEAR)),
        "max_drawdown": float(empyrical.max_drawdown(own)),
        "calmar": float(empyrical.calmar_ratio(own, annualization=YEAR)),
        "omega": float(empyrical.omega_ratio(own)),
        "tail_ratio": float(empyrical.tail_ratio(own)),
        "beta": float(empyrical.beta(own, market)),
        "alpha_compounded": float(empyrical.alpha(own, market, annualization=YEAR)),
        "excess_sharpe": float(empyrical.excess_sharpe(own, market)),
        "conditional_value_at_risk": float(empyrical.conditional_value_at_risk(own)),
    }


def by_quantstats(own: pd.Series, market: pd.Series) -> dict[str, float]:
    """Figures of quantstats."""
    greeks = stats.greeks(own, market, periods=YEAR)
    return {
        "volatility": float(stats.volatility(own, periods=YEAR)),
        "sharpe": float(stats.sharpe(own, periods=YEAR)),
        "sortino": float(stats.sortino(own, periods=YEAR)),
        "max_drawdown": float(stats.max_drawdown(own)),
        "ulcer_index": float(stats.ulcer_index(own)),
        "omega": float(stats.omega(own, periods=YEAR)),
        "tail_ratio": float(stats.tail_ratio(own)),
        "skewness": float(stats.skew(own)),
        "excess_kurtosis": float(stats.kurtosis(own)),
        "beta": float(greeks["beta"]),
        "alpha": float(greeks["alpha"]),
        "r_squared": float(stats.r_squared(own, market)),
        "information_ratio_of_a_bar": float(stats.information_ratio(own, market)),
        "best_bar": float(stats.best(own)),
        "worst_bar": float(stats.worst(own)),
        "win_rate_of_bars": float(stats.win_rate(own)),
        "gain_to_pain_of_bars": float(stats.gain_to_pain_ratio(own)),
    }


if __name__ == "__main__":
    main()
