"""An account at a glance: money, holdings, what keeps it from trading. Read in one call, frozen, made to travel."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.trader.books import Books
from nt_ray.trading.orders import Side

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Holding:
    """A position: signed quantity and cost, the last mark, and what open orders may still close of it."""

    symbol: str
    quantity: Decimal
    cost: Decimal
    mark: Decimal | None
    held_for_orders: Decimal

    @property
    def value(self) -> Decimal:
        """Signed market value; at cost where no price is known."""
        return self.cost if self.mark is None else self.quantity * self.mark


@dataclass(frozen=True, slots=True)
class Overview:
    """An account at the time of its last event; money in `currency`.

    buying_power   what the limit of gross exposure leaves: equity times `leverage`, less positions and open orders.
    began_at       time of its first event, None before.
    halts          scopes of kill switches that are set, with who and why; `breaker`: loss rules that have tripped.
    shorting       whether the gate lets positions be sold short; `fractions`: be opened by less than a unit.
    """

    name: str
    currency: str
    time: datetime
    began_at: datetime | None
    cash: Decimal
    equity: Decimal
    day_start_equity: Decimal
    reserved: Decimal
    leverage: Decimal
    buying_power: Decimal
    holdings: tuple[Holding, ...]
    halts: dict[str, str]
    breaker: tuple[str, ...]
    instruments: tuple[Instrument, ...]
    shorting: bool
    fractions: bool


def overview(
    name: str, books: Books, limits: RiskLimits, instruments: tuple[Instrument, ...], began_at: datetime | None
) -> Overview:
    """Read the books."""
    ledger = books.ledger
    holdings = tuple(_holding(books, symbol) for symbol in sorted(ledger.positions()))
    equity = ledger.equity(books.marks)
    leverage = Decimal(str(limits.max_gross_exposure))
    gross = sum((abs(holding.value) for holding in holdings), _ZERO)
    power = max(equity * leverage - gross - ledger.reserved, _ZERO)
    return Overview(
        name=name,
        currency=ledger.currency,
        time=books.time,
        began_at=began_at,
        cash=ledger.cash,
        equity=equity,
        day_start_equity=books.breaker.day_start_equity,
        reserved=ledger.reserved,
        leverage=leverage,
        buying_power=power,
        holdings=holdings,
        halts=dict(books.halts),
        breaker=tuple(sorted(books.tripped)),
        instruments=instruments,
        shorting=limits.shorting,
        fractions=limits.fractions,
    )


def _holding(books: Books, symbol: str) -> Holding:
    position = books.ledger.position(symbol)
    exits = books.resting(symbol, Side.SELL if position.quantity > 0 else Side.BUY)
    claimed = sum((books.claims.held.get(order.request.client_order_id, _ZERO) for order in exits), _ZERO)
    held = min(claimed, abs(position.quantity))
    return Holding(symbol, position.quantity, position.cost, books.marks.get(symbol), held)
