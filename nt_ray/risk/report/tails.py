"""Value at risk and expected shortfall by every method side by side."""

from dataclasses import dataclass

from nt_ray.risk.measures.catalogue import all_measures
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.types import FloatArray

SEEDED = ("filtered", "monte_carlo_normal", "monte_carlo_t", "monte_carlo_t_copula")


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRow:
    """One method at one confidence and horizon; without figures where it refuses, and then with the reason."""

    method: str
    confidence: float
    horizon: int
    var: float | None
    es: float | None
    """Fractions of equity lost."""
    var_money: float | None
    es_money: float | None
    notes: tuple[str, ...]
    refused: str


def tail_rows(returns: FloatArray, weights: FloatArray, equity: float, plan: ReportPlan) -> tuple[TailRow, ...]:
    """Measure returns (T, N) of weights (N,) by the methods of a plan."""
    rows = []
    params = {name: {"seed": plan.seed} for name in SEEDED if name in plan.methods}
    for horizon in plan.horizons:
        for confidence in plan.confidences:
            found = all_measures(returns, confidence, horizon, weights=weights, names=plan.methods, params=params)
            for name in plan.methods:
                tail = found.tails.get(name)
                rows.append(
                    TailRow(
                        method=name,
                        confidence=confidence,
                        horizon=horizon,
                        var=None if tail is None else tail.var,
                        es=None if tail is None else tail.es,
                        var_money=None if tail is None else tail.var * equity,
                        es_money=None if tail is None else tail.es * equity,
                        notes=() if tail is None else tail.notes,
                        refused=found.refused.get(name, ""),
                    )
                )
    return tuple(rows)
