"""What people decide about a live account beside its orders: switches, limits, and bookings that no order brought.

Each is a short call under the account's one lock; `adopt` alone asks the venue while it holds it, since nothing may
happen between what the venue says and what is booked.
"""

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from nt_ray.risk.limits import RiskLimits
from nt_ray.trader.account import Account
from nt_ray.trader.reconciliation import Reconciliation
from nt_ray.trading.actions import Action
from nt_ray.trading.lots import Lots

T = TypeVar("T")


class LiveDecisions:
    """Decisions about a live account; `nt_ray.trader.live_account.LiveAccount` fills in what they stand on."""

    _account: Account
    _changed: threading.Condition
    _syncing: threading.Lock

    @abstractmethod
    def _write(self, work: Callable[[], T], landed: Iterable[str] = ()) -> T:
        """Do what writes to the journal."""

    @abstractmethod
    def _wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""

    def resume(self, scope: str | Sequence[str], who: str, reason: str) -> None:
        """Allow trading in scopes again."""
        with self._changed:
            self._write(lambda: self._account.resume(scope, who, reason))

    def reset(self, who: str, reason: str) -> None:
        """Close the loss breaker; losses count from the present equity on."""
        with self._changed:
            self._write(lambda: self._account.reset(who, reason))

    def change_limits(
        self, changes: Mapping[str, Any], who: str, reason: str, expires: datetime | None = None
    ) -> RiskLimits:
        """Change limits of the gate, until a time or for good; return those then in force."""
        with self._changed:
            return self._write(lambda: self._account.change_limits(changes, who, reason, expires))

    def revert_limits(self, names: Sequence[str], who: str, reason: str) -> RiskLimits:
        """Put limits back to what the configuration says; no names: all of them."""
        with self._changed:
            return self._write(lambda: self._account.revert_limits(names, who, reason))

    def limits(self) -> RiskLimits:
        """Limits in force."""
        return self._account.limits

    def act(self, action: Action) -> None:
        """Book what changed the account without an order, once for each id."""
        with self._changed:
            self._write(lambda: self._account.act(action))

    def name_lots(self, client_order_id: str, symbol: str, lots: Sequence[str]) -> None:
        """Say which lots the fills of an order close, where the account closes specific lots."""
        with self._changed:
            self._write(lambda: self._account.name_lots(client_order_id, symbol, lots))

    def lots(self, symbol: str) -> Lots:
        """Tax lots of a position, oldest first."""
        with self._changed:
            return self._account.lots(symbol)

    def adopt(self, who: str, reason: str) -> Reconciliation:
        """Book what the venue holds and the books do not, or the other way round; orders wait meanwhile."""
        with self._syncing, self._changed:
            self._wait(lambda: not self._account.in_flight, "every order in flight")
            found = self._write(lambda: self._account.adopt(who, reason))
            self._changed.notify_all()
            return found
