"""What a search maximises: a named figure of an equity curve, the larger the better."""

from collections.abc import Callable
from types import MappingProxyType

from nt_ray.backtest.metrics import Metrics, measure
from nt_ray.backtest.research.problems import ResearchError
from nt_ray.types import FloatArray

SCORES = MappingProxyType(
    {
        "sharpe": lambda m: m.sharpe,
        "sortino": lambda m: m.sortino,
        "calmar": lambda m: m.calmar,
        "cagr": lambda m: m.cagr,
        "total_return": lambda m: m.total_return,
        "max_drawdown": lambda m: m.max_drawdown,
    }
)
"""Names of `nt_ray.backtest.metrics.Metrics` of which more is better; a drawdown is zero or negative."""


def find_score(name: str) -> Callable[[Metrics], float | None]:
    """Return the score of this name."""
    if name not in SCORES:
        raise ResearchError(f"Metric {name!r} cannot be maximised. Use one of: {', '.join(SCORES)}.")
    return SCORES[name]


def score(name: str, equity: FloatArray, periods_per_year: float) -> float | None:
    """Score an equity curve (T+1,), its opening first; None where the figure is undefined."""
    return find_score(name)(measure(equity, periods_per_year))
