"""Where the risk comes from: marginal, component and incremental figures of each position, in two ways."""

from collections.abc import Callable
from dataclasses import dataclass

from nt_ray.risk.contributions import Contributions, elliptical, scenario
from nt_ray.risk.report.refusal import attempt
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRow:
    """One position. Components sum to the portfolio's figure; incremental ones do not."""

    symbol: str
    weight: float
    marginal_var: float
    marginal_es: float
    component_var: float
    component_es: float
    incremental_var: float
    incremental_es: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """A portfolio taken apart over one period; no rows where the method refuses, and then the reason."""

    method: str
    confidence: float
    var: float | None
    es: float | None
    rows: tuple[ComponentRow, ...]
    notes: tuple[str, ...]
    refused: str


def components(
    symbols: tuple[str, ...], weights: FloatArray, returns: FloatArray, covariance: FloatArray, confidence: float
) -> tuple[Components, ...]:
    """Take a portfolio apart over past returns (T, N), and under normal returns with a covariance (N, N)."""
    ways: dict[str, Callable[[], Contributions]] = {
        "historical": lambda: scenario(weights, returns, confidence),
        "normal": lambda: elliptical(weights, covariance, confidence),
    }
    return tuple(_apart(name, way, symbols, weights, confidence) for name, way in ways.items())


def _apart(
    name: str, way: Callable[[], Contributions], symbols: tuple[str, ...], weights: FloatArray, confidence: float
) -> Components:
    found, refused = attempt(way)
    if found is None:
        return Components(
            method=name, confidence=confidence, var=None, es=None, rows=(), notes=(), refused=refused
        )  # fmt: skip
    rows = tuple(
        ComponentRow(
            symbol=symbol,
            weight=float(weights[i]),
            marginal_var=float(found.marginal_var[i]),
            marginal_es=float(found.marginal_es[i]),
            component_var=float(found.component_var[i]),
            component_es=float(found.component_es[i]),
            incremental_var=float(found.incremental_var[i]),
            incremental_es=float(found.incremental_es[i]),
        )
        for i, symbol in enumerate(symbols)
    )
    return Components(
        method=name, confidence=confidence, var=found.var, es=found.es, rows=rows, notes=found.notes, refused=""
    )
