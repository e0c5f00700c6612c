"""The measures of an equity curve that tools answer with."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deployments.gateway.mcp.schema import Figure, Output
from nt_ray.backtest.metrics import Metrics


class Performance(Output):
    """Measures of an equity curve; conventions are those of docs/metrics.md."""

    periods: int
    total_return: Figure
    cagr: Figure
    volatility: Figure
    sharpe: Figure
    sortino: Figure
    calmar: Figure
    max_drawdown: Figure
    best: Figure
    worst: Figure
    positive_share: Figure
    var_95: Figure
    es_95: Figure


def performance(metrics: Metrics) -> Performance:
    """Answer with the measures."""
    return measured(asdict(metrics))


def measured(known: Mapping[str, Any]) -> Performance:
    """Answer with measures by their names, as a summary holds them."""
    return Performance(**{name: known[name] for name in Performance.model_fields})
