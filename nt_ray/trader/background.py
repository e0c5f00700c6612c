"""What the gate knows of the market's past: average volumes, and how prices moved together.

Made from history that ends where the account stands, never beyond. It is worked out only where a limit asks for it;
scenarios also where somebody wants to know what is at risk (`tail`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import numpy as np

from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.references import References
from nt_ray.risk.scenario_table import ScenarioTable, past_returns
from nt_ray.types import FloatArray

AVERAGED: Final = 20
"""Bars over which a volume is averaged."""

DRAWN: Final = 10_000
"""Scenarios that are drawn of a model."""


@dataclass(frozen=True, slots=True)
class Background:
    """Average volumes in units of quantity by symbol, and scenarios of the symbols that have prices for all of them."""

    volumes: Mapping[str, Decimal] = field(default_factory=dict)
    scenarios: ScenarioTable | None = None

    def put(self, references: References) -> None:
        """Let the gate see it."""
        references.trade(self.volumes)
        references.scenarios = self.scenarios


def is_needed(limits: RiskLimits) -> bool:
    """Whether a limit asks for the market's past."""
    return limits.max_volume_share is not None or limits.max_var is not None


def bars_needed(limits: RiskLimits, *, tail: bool = False) -> int:
    """How many bars of the past the limits look at."""
    return max(AVERAGED, limits.var_window + 1 if tail or limits.max_var is not None else 0)


def background(
    symbols: Sequence[str], closes: FloatArray, volumes: FloatArray, limits: RiskLimits, *, tail: bool = False
) -> Background:
    """Work out what limits ask for.

    Parameters
    ----------
    symbols
        N names.
    closes
        (T, N) known closes up to now, gaps filled with the close before; NaN before the first.
    volumes
        (T, N) traded quantity; NaN where unknown.
    limits
        Which limits are in force, and over how many bars they look.
    tail
        Whether scenarios are wanted without a limit on them.
    """
    averages = _averages(symbols, volumes) if limits.max_volume_share is not None else {}
    wanted = tail or limits.max_var is not None
    return Background(averages, _scenarios(symbols, closes, limits) if wanted else None)


def _averages(symbols: Sequence[str], volumes: FloatArray) -> dict[str, Decimal]:
    """Mean volume of each symbol over the last bars that have one."""
    late = volumes[-AVERAGED:]
    known = np.isfinite(late)
    sums, counts = np.where(known, late, 0.0).sum(axis=0), known.sum(axis=0)
    return {s: Decimal(repr(float(sums[i] / counts[i]))) for i, s in enumerate(symbols) if counts[i]}


def _scenarios(symbols: Sequence[str], closes: FloatArray, limits: RiskLimits) -> ScenarioTable | None:
    """Past returns of the symbols that have a price throughout the window; None where the past is too short."""
    confidence = float(limits.var_confidence)
    window = closes[-(limits.var_window + 1) :]
    columns = np.flatnonzero(np.isfinite(window).all(axis=0)).tolist()
    if not columns or len(window) <= math.ceil(1.0 / (1.0 - confidence) - 1e-9):
        return None
    returns = past_returns(window[:, columns], limits.var_window)
    if limits.var_model != "historical":
        returns = _drawn(returns, limits.var_model)
    return ScenarioTable([symbols[column] for column in columns], returns, confidence)


def _drawn(returns: FloatArray, model: str) -> FloatArray:
    """Scenarios (DRAWN, N) of a model fitted to past returns (T, N)."""
    # Accounts are started again in a hurry, and few draw: what draws takes as long to import as all the rest of one.
    from nt_ray.risk.monte_carlo.models import Model, fit_normal, fit_student
    from nt_ray.risk.monte_carlo.scenarios import Plan, make

    fitted: Model = fit_student(returns) if model == "monte_carlo_t" else fit_normal(returns)
    # The same draws under any past, so that a limit does not move by chance from bar to bar.
    return np.asarray(make(Plan(model=fitted, count=DRAWN)).matrix().T, dtype=np.float64)
