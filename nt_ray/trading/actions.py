"""What changes the books without an order: dividends, splits, transfers, charges, currency, choice of lots.

Facts as those of `nt_ray.trading.events`, which lists them among its events. Each but the choice of lots bears an id
that is unique within the account: the same id is the same fact and is booked once. `book` writes one down in a ledger;
what the ledger cannot hold raises before anything changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from nt_ray.errors import BadInputError
from nt_ray.trading.ledger import Charge, Ledger


@dataclass(frozen=True, slots=True)
class DividendPaid:
    """A dividend in the account's currency; negative where a short position owes it."""

    time: datetime
    action_id: str
    symbol: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class SplitApplied:
    """`new` units came for every `old`; the position is `quantity` now, and `cash` came for a fraction of a unit."""

    time: datetime
    action_id: str
    symbol: str
    new: int
    old: int
    quantity: Decimal
    cash: Decimal

    def __post_init__(self) -> None:
        if self.new < 1 or self.old < 1:
            raise BadInputError(f"A split of {self.new} for {self.old} is none. Give two whole numbers from 1 on.")


@dataclass(frozen=True, slots=True)
class SymbolChanged:
    """What was held under one symbol goes on under another."""

    time: datetime
    action_id: str
    symbol: str
    into: str

    def __post_init__(self) -> None:
        if not self.into or self.into == self.symbol:
            raise BadInputError(f"{self.symbol!r} cannot become {self.into!r}. Give another symbol.")


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge in the account's currency (negative: money that came back); `charge` is one of `Charge`."""

    time: datetime
    action_id: str
    charge: str
    amount: Decimal

    def __post_init__(self) -> None:
        if self.charge not in tuple(Charge):
            raise BadInputError(f"Charge {self.charge!r} is unknown. Use one of {', '.join(Charge)}.")


@dataclass(frozen=True, slots=True)
class CashExchanged:
    """Money of one currency was given for money of another."""

    time: datetime
    action_id: str
    sold: Decimal
    of: str
    bought: Decimal
    into: str


@dataclass(frozen=True, slots=True)
class UnitsTransferred:
    """Units came in, or went out (negative), without an order, by the word of `who`.

    `price` is what a unit that came in has cost, `mark` what one is worth now; those that go out leave at their cost.
    """

    time: datetime
    action_id: str
    symbol: str
    quantity: Decimal
    price: Decimal
    mark: Decimal
    who: str
    reason: str

    def __post_init__(self) -> None:
        prices = (self.price, self.mark)
        if not self.symbol or not self.quantity.is_finite() or not self.quantity:
            raise BadInputError(f"{self.quantity} of {self.symbol!r} is no transfer. Give a symbol and a quantity.")
        if not all(price.is_finite() and price >= 0 for price in prices):
            raise BadInputError(f"{self.symbol}: prices {prices[0]} and {prices[1]} are none. Give what a unit costs.")


@dataclass(frozen=True, slots=True)
class CashTransferred:
    """Money in the account's currency came in, or went out (negative), by the word of `who`."""

    time: datetime
    action_id: str
    amount: Decimal
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class LotsNamed:
    """The lots that the fills of an order close, where the account closes specific lots."""

    time: datetime
    client_order_id: str
    symbol: str
    lots: tuple[str, ...]


Action: TypeAlias = (
    DividendPaid | SplitApplied | SymbolChanged | Charged | CashExchanged | UnitsTransferred | CashTransferred
)
"""What bears an id and is booked once."""


def book(ledger: Ledger, event: Action | LotsNamed) -> None:
    """Write an event down in a ledger."""
    match event:
        case DividendPaid():
            ledger.dividend(event.action_id, event.amount)
        case SplitApplied():
            ledger.split(event.action_id, event.symbol, event.new, event.old, event.quantity, event.cash)
        case SymbolChanged():
            ledger.rename(event.action_id, event.symbol, event.into)
        case Charged():
            ledger.charge(event.action_id, Charge(event.charge), event.amount)
        case CashExchanged():
            ledger.exchange(event.action_id, event.sold, event.of, event.bought, event.into)
        case UnitsTransferred():
            ledger.transfer(event.action_id, event.symbol, event.quantity, event.price, event.time)
        case CashTransferred():
            ledger.deposit(event.action_id, event.amount)
        case LotsNamed():
            ledger.name_lots(event.client_order_id, event.symbol, event.lots)


def symbols_of(event: Action) -> tuple[str, ...]:
    """Symbols whose position an action may change."""
    match event:
        case SplitApplied() | UnitsTransferred():
            return (event.symbol,)
        case SymbolChanged():
            return (event.symbol, event.into)
        case _:
            return ()


def capital_of(event: Action) -> Decimal:
    """What came in (negative: went out) with an action and is neither profit nor loss, at its marks."""
    match event:
        case UnitsTransferred():
            return event.quantity * event.mark
        case CashTransferred():
            return event.amount
        case _:
            return Decimal(0)


def marks_after(event: Action, marks: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Marks that follow from an action until the next prices come; of money exchanged, the rate at which it was."""
    match event:
        case SplitApplied() if event.symbol in marks:
            return {event.symbol: marks[event.symbol] * event.old / event.new}
        case UnitsTransferred() if event.mark or event.symbol not in marks:
            # Equity has to count what is held; units whose worth nobody knows count nothing until a price comes.
            return {event.symbol: event.mark}
        case SymbolChanged() if event.symbol in marks and event.into not in marks:
            return {event.into: marks[event.symbol]}
        case CashExchanged():
            return {
                f"{event.into}/{event.of}": event.sold / event.bought,
                f"{event.of}/{event.into}": event.bought / event.sold,
            }
        case _:
            return {}
