"""Value at risk and expected shortfall of what an account holds, by several methods, over the platform's own history.

It is told for any account whose symbols the data of the settings have, whether a limit asks for it or not. The gate
does not know it: what the gate compares with `max_var` is in `nt_ray.trader.board`.
"""

from dataclasses import dataclass
from typing import Final

from nt_ray.config import Settings
from nt_ray.risk.report.history import history_of
from nt_ray.risk.report.holdings import Position, holdings_of
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.tails import TailRow, tail_rows
from nt_ray.trader.data import load_bars
from nt_ray.trader.overview import Overview

PLAN: Final = ReportPlan(horizons=(1,), methods=("historical", "normal", "student_t", "monte_carlo_t"))


@dataclass(frozen=True, slots=True)
class AccountTails:
    """Tails of the holdings as fractions of equity over `periods` past periods, the last of which ends at `until`."""

    periods: int
    until: str
    rows: tuple[TailRow, ...]


def account_tails(settings: Settings, found: Overview, plan: ReportPlan = PLAN) -> AccountTails:
    """Measure what an account holds at its marks; an account that holds nothing has no rows.

    Raises where the data lack a symbol of it, or where its equity is not positive.
    """
    held = [h for h in found.holdings if h.quantity and h.mark is not None]
    if not held:
        return AccountTails(0, "", ())
    positions = [Position(symbol=h.symbol, quantity=h.quantity, price=h.mark) for h in held if h.mark is not None]
    holdings = holdings_of(positions, found.equity, f"account {found.name}")
    bars = load_bars(settings.data.model_copy(update={"symbols": holdings.symbols}))
    past = history_of(bars, holdings.symbols, plan.history)
    rows = tail_rows(past.returns, holdings.weights, float(holdings.equity), plan)
    return AccountTails(len(past.returns), past.stamps[-1], rows)
