"""The double-entry ledger of one account, in exact Decimals.

Accounts: `cash:CUR`, `position:SYMBOL` (at cost), `commission` (expense), `realised` (profit), `capital`.
Debits are positive, credits negative, and every posting sums to zero exactly. Positions carry their total
cost, not an average price, so nothing is lost to division: what a closing trade moves out is rounded once,
half to even, to 1e-8, and the last unit takes all that is left, so a flat position has cost zero.

Identities, exact after every event:
    equity = cash + sum(quantity * mark)
    equity - capital = realised + unrealised - commission

The ledger knows no orders, no venue and no storage.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, Overflow
from typing import Final

from nt_ray.errors import TradingError
from nt_ray.trading.orders import Fill
from nt_ray.types import MONEY_DECIMALS

QUANTUM: Final = Decimal(1).scaleb(-MONEY_DECIMALS)
ZERO: Final = Decimal(0)

LARGEST: Final = Decimal(10) ** 18
"""Amounts below this are exact in the default 28 digits with 8 decimals, sums of thousands of them too."""

_EXACT: Final = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=[Inexact, Overflow])
_WIDE: Final = Context(prec=120, rounding=ROUND_HALF_EVEN)


class AmountError(TradingError):
    """An amount that the ledger cannot hold exactly."""

    def __init__(self, what: str, amount: Decimal) -> None:
        super().__init__(
            f"{what} {amount} is not a finite amount below 1e18 in steps of 1e-8. Check price and quantity."
        )


@dataclass(frozen=True, slots=True)
class Position:
    """A signed quantity and its total cost (signed alike: a short position has a negative cost)."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def average_cost(self) -> Decimal | None:
        """Cost of one unit, for display; None where the position is flat."""
        return self.cost / self.quantity if self.quantity else None


FLAT: Final = Position()


@dataclass(frozen=True, slots=True)
class Posting:
    """One balanced entry: (account, amount) pairs that sum to zero; debits positive."""

    reference: str
    lines: tuple[tuple[str, Decimal], ...]

    def __post_init__(self) -> None:
        total = sum((amount for _, amount in self.lines), ZERO)
        if total != 0:
            raise TradingError(f"Posting {self.reference} is out of balance by {total}. Report this as a defect.")


class Ledger:
    """Books of one account."""

    def __init__(self, currency: str = "USD") -> None:
        self._cash = f"cash:{currency}"
        self._balances: dict[str, Decimal] = {
            self._cash: ZERO,
            "capital": ZERO,
            "commission": ZERO,
            "realised": ZERO,
        }
        self._positions: dict[str, Position] = {}

    @property
    def cash(self) -> Decimal:
        """Cash, negative where money is borrowed."""
        return self._balances[self._cash]

    @property
    def capital(self) -> Decimal:
        """Money paid in."""
        return -self._balances["capital"]

    @property
    def realised(self) -> Decimal:
        """Profit of closed trades before commission."""
        return -self._balances["realised"]

    @property
    def commission(self) -> Decimal:
        """Commission paid."""
        return self._balances["commission"]

    @property
    def balances(self) -> Mapping[str, Decimal]:
        """Balance of each account; they sum to zero."""
        return dict(self._balances)

    def position(self, symbol: str) -> Position:
        """Position in a symbol; flat where there is none."""
        return self._positions.get(symbol, FLAT)

    def positions(self) -> dict[str, Position]:
        """All positions that are not flat."""
        return dict(self._positions)

    def deposit(self, reference: str, amount: Decimal) -> Posting:
        """Book capital paid in (positive) or out (negative)."""
        _check("Deposit", amount)
        return self._post(Posting(reference, ((self._cash, amount), ("capital", -amount))))

    def admit(self, fill: Fill) -> Decimal:
        """Signed notional of an execution; raises `AmountError` where the ledger cannot hold it exactly."""
        notional = _EXACT.multiply(fill.signed_quantity, fill.price)
        _check("Notional", notional)
        _check("Commission", fill.commission)
        return notional

    def fill(self, fill: Fill) -> Posting:
        """Book one execution: cash, position at cost, commission and realised profit."""
        notional = self.admit(fill)
        signed = fill.signed_quantity
        before = self.position(fill.symbol)
        after, realised = _trade(before, signed, fill.price)
        _check("Cost", after.cost)
        lines = [
            (self._cash, -notional - fill.commission),
            (f"position:{fill.symbol}", after.cost - before.cost),
            ("commission", fill.commission),
            ("realised", -realised),
        ]
        posting = self._post(Posting(fill.execution_id, tuple(line for line in lines if line[1])))
        if after.quantity:
            self._positions[fill.symbol] = after
        else:
            self._positions.pop(fill.symbol, None)
        return posting

    def unrealised(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Profit of open positions at these marks; raises where a held symbol has none."""
        return sum(
            (p.quantity * _mark(marks, symbol) - p.cost for symbol, p in self._positions.items()),
            ZERO,
        )

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Cash plus positions at these marks; raises where a held symbol has none."""
        values = (p.quantity * _mark(marks, symbol) for symbol, p in self._positions.items())
        return sum(values, self.cash)

    def trial_balance(self) -> Decimal:
        """Sum of all balances: zero."""
        return _total(self._balances.values())

    def _post(self, posting: Posting) -> Posting:
        balances = self._balances
        changed = {name: balances.get(name, ZERO) + amount for name, amount in posting.lines}
        for name, balance in changed.items():
            _check(f"Balance of {name}", balance)
        balances.update(changed)
        return posting


def _trade(position: Position, signed: Decimal, price: Decimal) -> tuple[Position, Decimal]:
    """Position after a trade and the profit it realises; a trade through zero closes, then opens."""
    quantity, cost = position.quantity, position.cost
    if quantity * signed >= 0:
        return Position(quantity + signed, cost + signed * price), ZERO
    if abs(signed) >= abs(quantity):
        opened = quantity + signed
        return Position(opened, opened * price), quantity * price - cost
    share = _WIDE.divide(_EXACT.multiply(cost, -signed), quantity)
    moved = share.quantize(QUANTUM, context=_WIDE)
    return Position(quantity + signed, cost - moved), -signed * price - moved


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _mark(marks: Mapping[str, Decimal], symbol: str) -> Decimal:
    mark = marks.get(symbol)
    if mark is None or not mark.is_finite():
        raise TradingError(f"{symbol} is held and its mark is {mark}. Give a price for each held symbol.")
    return mark


def _check(what: str, amount: Decimal) -> None:
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or abs(amount) >= LARGEST:
        raise AmountError(what, amount)
    if exponent < -MONEY_DECIMALS and amount != amount.quantize(QUANTUM, context=_WIDE):
        raise AmountError(what, amount)
