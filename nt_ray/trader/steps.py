"""The steps of an order's way through an account, with when each began and ended, for whoever traces it.

Times are the wall clock's, in nanoseconds since 1970, since they are set beside those of other processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

ORDER_STEPS: Final = ("check_risk_limits", "submit_to_broker", "update_portfolio")
"""Gate and journal; the venue; the journal again, with ledger and positions."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, from `start_ns` to `end_ns`."""

    name: str
    start_ns: int
    end_ns: int


def steps_of(instants: Sequence[int]) -> tuple[Step, ...]:
    """Steps between the instants; one during which the clock was set back ends where it began."""
    spans = pairwise(instants)
    return tuple(
        Step(name, start, max(start, end)) for name, (start, end) in zip(ORDER_STEPS, spans, strict=False)
    )  # fmt: skip
