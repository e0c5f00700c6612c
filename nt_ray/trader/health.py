"""Health of an account as its supervisor sees it: a fold over checks, and where the account is."""

from dataclasses import dataclass
from typing import Final

_WEIGHT: Final = 0.2
"""Share of the newest check in the smoothed latency."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the checks of one account have shown.

    up            whether the last check found the venue.
    latency_ms    smoothed time to the answer, of checks that found it; None before the first.
    failures      checks in a row that did not.
    checks        checks in all.
    error         why the last one failed.
    """

    up: bool = False
    latency_ms: float | None = None
    failures: int = 0
    checks: int = 0
    error: str = ""

    def answered(self, milliseconds: float) -> "Health":
        """Health after a check that found the venue."""
        before = milliseconds if self.latency_ms is None else self.latency_ms
        smoothed = before + _WEIGHT * (milliseconds - before)
        return Health(True, smoothed, 0, self.checks + 1)

    def failed(self, error: str) -> "Health":
        """Health after a check that did not."""
        return Health(False, self.latency_ms, self.failures + 1, self.checks + 1, error)


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """A live account at a moment.

    health       what its own inquiries of the venue have shown.
    is_fenced    whether another writer has taken over.
    open_orders  orders that the venue may hold.
    in_doubt     those of which nobody waits for the venue's word and nobody knows what it was.
    epoch        of its writer.
    pid, node    process and node that hold it; the node is empty outside a cluster.
    cancelling   open orders whose cancel was asked for and is not confirmed; it is asked for until it is.
    warnings     what is disputed with the venue, and what is not as it should be there and stops nothing by itself.
    """

    account: str
    health: Health
    is_fenced: bool
    open_orders: int
    in_doubt: int
    epoch: int
    pid: int
    node: str = ""
    cancelling: int = 0
    warnings: tuple[str, ...] = ()
