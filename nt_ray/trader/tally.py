"""What has been traded through an account, by strategy and symbol: executions, quantity, realised profit.

A running fold over the account's executions, so asking often costs what is new. Profit is that of the strategy's own
executions at average cost, less their commissions; a split that lies between two executions is not known here, and the
account's `realised` of its ledger is the one that follows all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from nt_ray.trader.reports import AccountState
from nt_ray.trader.usage import Tail, Usage
from nt_ray.trading.orders import Fill, Order

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Traded:
    """What one strategy has traded in one symbol; money in the account's currency."""

    strategy: str
    symbol: str
    executions: int
    quantity: Decimal
    realised: Decimal


@dataclass(frozen=True, slots=True)
class AccountTally:
    """An account in numbers: its state, its orders by status, what it traded, how far limits are used, its tail."""

    state: AccountState
    orders: Mapping[str, int]
    traded: tuple[Traded, ...]
    limits: tuple[Usage, ...]
    tail: Tail | None
    """None where a holding has no scenarios."""


@dataclass(slots=True)
class _Line:
    """Position of a strategy in a symbol at average cost."""

    executions: int = 0
    quantity: Decimal = _NOTHING
    realised: Decimal = _NOTHING
    held: Decimal = _NOTHING
    cost: Decimal = _NOTHING

    def take(self, fill: Fill) -> None:
        self.executions += 1
        self.quantity += fill.quantity
        self.realised -= fill.commission
        signed = fill.signed_quantity
        if self.held * signed < 0:
            signed = self._close(signed, fill.price)
        self.held += signed
        self.cost += signed * fill.price

    def _close(self, signed: Decimal, price: Decimal) -> Decimal:
        """Give up as much of what is held as the execution covers; return what is left of the execution."""
        whole = abs(signed) >= abs(self.held)
        given = self.held if whole else -signed
        cost = self.cost if whole else self.cost * given / self.held
        self.realised += given * price - cost
        self.held -= given
        self.cost -= cost
        return signed + given


@dataclass(slots=True)
class Tally:
    """Counts of one account's executions."""

    _lines: dict[tuple[str, str], _Line] = field(default_factory=dict)
    _seen: int = 0
    _last: str = ""

    def take(self, orders: Mapping[str, Order], fills: Sequence[Fill]) -> tuple[Traded, ...]:
        """Count executions that are new; begin anew where those counted are no longer there."""
        if self._seen and (len(fills) < self._seen or fills[self._seen - 1].execution_id != self._last):
            self._lines, self._seen = {}, 0
        for fill in fills[self._seen :]:
            order = orders.get(fill.client_order_id)
            strategy = "" if order is None else order.request.strategy
            self._lines.setdefault((strategy, fill.symbol), _Line()).take(fill)
        self._seen, self._last = len(fills), fills[-1].execution_id if fills else ""
        return tuple(
            Traded(strategy, symbol, line.executions, line.quantity, line.realised)
            for (strategy, symbol), line in sorted(self._lines.items())
        )
