"""The double-entry ledger of one account, in exact Decimals.

Accounts: `cash:CUR` by currency; `position:SYMBOL` (at cost); `commission`, `fees`, `borrow` and `interest` (expenses);
`dividends` and `realised` (profit); `capital`; `exchange` (between two currencies). Those of a currency other than the
account's own carry its name, as `capital:EUR`. Memo accounts beside the money, `reserved` and `reservable`, hold the
buying power that open orders have taken.

Debits are positive, credits negative, and every posting sums to zero exactly, in one currency. Positions are held in
lots (`nt_ray.trading.lots`) with total costs, so a flat position has cost zero. Quantities have 9 decimals and money 8:
what an execution moves is rounded here, once, half to even, and cash, cost and profit are made of the rounded amount.

Identities, exact after every event:
    equity = cash + sum(quantity * mark)
    equity - capital = realised + unrealised + dividends - commission - fees - borrow - interest
and with money in other currencies both sides take it at its rate, the right one with what exchanging has brought.

The ledger knows no orders, no venue and no storage.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from nt_ray.errors import TradingError
from nt_ray.trading import lots as tax
from nt_ray.trading.lots import WIDE, ZERO, Lot, LotMethod, Lots
from nt_ray.trading.orders import Fill
from nt_ray.types import MONEY_DECIMALS, QUANTITY_DECIMALS

LARGEST: Final = Decimal(10) ** 18
"""Amounts below this are exact in the default 28 digits with 8 decimals, sums of thousands of them too."""


class AmountError(TradingError):
    """An amount that the ledger cannot hold exactly."""

    def __init__(self, what: str, amount: Decimal, decimals: int = MONEY_DECIMALS) -> None:
        super().__init__(
            f"{what} {amount} is not a finite amount below 1e18 in steps of 1e-{decimals}. Check price and quantity."
        )


class Charge(StrEnum):
    """What costs money apart from a trade; the ledger's account bears the same name."""

    FEES = "fees"
    BORROW = "borrow"
    INTEREST = "interest"


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
    """One balanced entry in one currency: (account, amount) pairs that sum to zero; debits positive."""

    reference: str
    lines: tuple[tuple[str, Decimal], ...]

    def __post_init__(self) -> None:
        total = sum((amount for _, amount in self.lines), ZERO)
        if total != 0:
            raise TradingError(f"Posting {self.reference} is out of balance by {total}. Report this as a defect.")


class Ledger:
    """Books of one account."""

    def __init__(self, currency: str = "USD", method: LotMethod = LotMethod.AVERAGE) -> None:
        self.currency = currency
        self.method = method
        self._cash = f"cash:{currency}"
        self._balances: dict[str, Decimal] = {
            self._cash: ZERO,
            "capital": ZERO,
            "commission": ZERO,
            "realised": ZERO,
        }
        self._positions: dict[str, Position] = {}
        self._lots: dict[str, Lots] = {}
        self._named: dict[str, tuple[str, ...]] = {}
        self._reserved: dict[str, Decimal] = {}

    @property
    def cash(self) -> Decimal:
        """Cash in the account's own currency, negative where money is borrowed."""
        return self._balances[self._cash]

    @property
    def capital(self) -> Decimal:
        """Money paid in, in the account's own currency."""
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
    def dividends(self) -> Decimal:
        """Dividends received less those paid on short positions."""
        return -self._balances.get("dividends", ZERO)

    @property
    def reserved(self) -> Decimal:
        """Buying power that open orders have taken."""
        return self._balances.get("reserved", ZERO)

    @property
    def balances(self) -> Mapping[str, Decimal]:
        """Balance of each account; they sum to zero."""
        return dict(self._balances)

    def copy(self) -> "Ledger":
        """Return books of the same state, to try a posting on."""
        other = Ledger(self.currency, self.method)
        for name, kept in vars(self).items():
            setattr(other, name, dict(kept) if isinstance(kept, dict) else kept)
        return other

    def charged(self, charge: Charge) -> Decimal:
        """Money paid for a kind of charge."""
        return self._balances.get(charge.value, ZERO)

    def cash_in(self, currency: str) -> Decimal:
        """Cash in a currency."""
        return self._balances.get(f"cash:{currency}", ZERO)

    def position(self, symbol: str) -> Position:
        """Position in a symbol; flat where there is none."""
        return self._positions.get(symbol, FLAT)

    def positions(self) -> dict[str, Position]:
        """All positions that are not flat."""
        return dict(self._positions)

    def lots(self, symbol: str) -> Lots:
        """Lots of a position, oldest first; under `average` one."""
        return self._lots.get(symbol, ())

    def deposit(self, reference: str, amount: Decimal, currency: str = "") -> Posting:
        """Book capital paid in (positive) or out (negative)."""
        _check("Deposit", amount)
        cash, capital = (self._account(name, currency) for name in ("cash", "capital"))
        return self._post(Posting(reference, ((cash, amount), (capital, -amount))))

    def exchange(self, reference: str, sold: Decimal, of: str, bought: Decimal, into: str) -> tuple[Posting, Posting]:
        """Book money of one currency given for money of another; one posting for each currency."""
        for amount in (sold, bought):
            _check("Amount exchanged", amount)
        if of == into or sold <= 0 or bought <= 0:
            raise TradingError(f"{sold} {of} cannot become {bought} {into}. Give two currencies and positive amounts.")
        gone = Posting(reference, ((self._account("cash", of), -sold), (self._account("exchange", of), sold)))
        come = Posting(reference, ((self._account("cash", into), bought), (self._account("exchange", into), -bought)))
        self._post(Posting(reference, gone.lines + come.lines))
        return gone, come

    def charge(self, reference: str, charge: Charge, amount: Decimal) -> Posting:
        """Book a charge (negative: money that comes back, or interest received)."""
        _check("Charge", amount)
        return self._post(Posting(reference, ((self._cash, -amount), (charge.value, amount))))

    def dividend(self, reference: str, amount: Decimal) -> Posting:
        """Book a dividend received (positive), or paid on a short position (negative)."""
        _check("Dividend", amount)
        return self._post(Posting(reference, ((self._cash, amount), ("dividends", -amount))))

    def reserve(self, reference: str, amount: Decimal) -> Posting:
        """Set the buying power that an order holds; zero releases it."""
        _check("Reservation", amount)
        change = amount - self._reserved.get(reference, ZERO)
        posting = self._post(Posting(reference, (("reserved", change), ("reservable", -change))))
        if amount:
            self._reserved[reference] = amount
        else:
            self._reserved.pop(reference, None)
        return posting

    def name_lots(self, client_order_id: str, symbol: str, lot_ids: Sequence[str]) -> None:
        """Say which lots the fills of an order close, where the method is `specific`."""
        held = {lot.lot_id for lot in self.lots(symbol)}
        for lot_id in lot_ids:
            if lot_id not in held:
                raise tax.UnknownLotError(lot_id, symbol)
        self._named[client_order_id] = tuple(lot_ids)

    def admit(self, fill: Fill) -> Decimal:
        """Signed notional of an execution, rounded half to even to 1e-8; `AmountError` where it cannot be held."""
        _check("Quantity", fill.quantity, QUANTITY_DECIMALS)
        if not fill.price.is_finite():
            raise AmountError("Price", fill.price)
        notional = tax.money(fill.signed_quantity, fill.price)
        _check("Notional", notional)
        _check("Commission", fill.commission)
        return notional

    def fill(self, fill: Fill) -> Posting:
        """Book one execution: cash, position at cost, commission and realised profit."""
        notional = self.admit(fill)
        incoming = Lot(fill.execution_id, fill.signed_quantity, notional, fill.time)
        named = self._named.get(fill.client_order_id, ())
        trade = tax.trade(self.lots(fill.symbol), incoming, fill.price, self.method, named)
        before, after = self.position(fill.symbol), _position(trade.lots)
        _check("Cost", after.cost)
        lines = [
            (self._cash, -notional - fill.commission),
            (f"position:{fill.symbol}", after.cost - before.cost),
            ("commission", fill.commission),
            ("realised", -trade.realised if trade.closings else ZERO),
        ]
        posting = self._post(Posting(fill.execution_id, tuple(line for line in lines if line[1])))
        self._hold(fill.symbol, trade.lots, after)
        return posting

    def transfer(self, reference: str, symbol: str, quantity: Decimal, price: Decimal, time: datetime) -> Posting:
        """Book units that came in as capital (negative: went out), at `price`; those that close lots leave at cost."""
        _check("Quantity", quantity, QUANTITY_DECIMALS)
        cost = tax.money(quantity, price)
        _check("Cost", cost)
        trade = tax.trade(self.lots(symbol), Lot(reference, quantity, cost, time), price, self.method)
        after = _position(trade.lots)
        moved = after.cost - self.position(symbol).cost
        posting = self._post(Posting(reference, ((f"position:{symbol}", moved), ("capital", -moved))))
        self._hold(symbol, trade.lots, after)
        return posting

    def split(self, reference: str, symbol: str, new: int, old: int, quantity: Decimal, cash: Decimal) -> Posting:
        """Book a split: `quantity` units after it, and `cash` for a fraction of one that was not given out."""
        _check("Cash in lieu", cash)
        held = self.lots(symbol)
        if not held:
            raise TradingError(f"{symbol} is split and not held. Leave splits of other symbols out.")
        trade = tax.split(held, new, old, quantity, cash)
        after = _position(trade.lots)
        lines = [
            (self._cash, cash),
            (f"position:{symbol}", after.cost - self.position(symbol).cost),
            ("realised", -trade.realised),
        ]
        posting = self._post(Posting(reference, tuple(line for line in lines if line[1])))
        self._hold(symbol, trade.lots, after)
        return posting

    def rename(self, reference: str, symbol: str, into: str) -> Posting:
        """Book a change of symbol: the lots go on under another name, joining those that are held under it."""
        moved, there = self.lots(symbol), self.lots(into)
        if tax.quantity_of(moved) * tax.quantity_of(there) < 0:
            raise TradingError(f"{symbol} and {into} are held on opposite sides. Close one before they become one.")
        cost = tax.cost_of(moved)
        joined = tax.merge(there, moved, self.method)
        posting = self._post(Posting(reference, ((f"position:{symbol}", -cost), (f"position:{into}", cost))))
        self._hold(symbol, (), FLAT)
        self._hold(into, joined, _position(joined))
        return posting

    def unrealised(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Profit of open positions at these marks; raises where a held symbol has none."""
        return sum(
            (p.quantity * _mark(marks, symbol) - p.cost for symbol, p in self._positions.items()),
            ZERO,
        )

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Cash plus positions at these marks; raises where a held symbol has none.

        Cash in another currency counts at the mark of the pair, as `EUR/USD`.
        """
        values = (p.quantity * _mark(marks, symbol) for symbol, p in self._positions.items())
        return sum(values, self.cash) + self._abroad("cash", marks)

    def exchanged(self, marks: Mapping[str, Decimal]) -> Decimal:
        """What exchanging currencies has brought, at the present rates."""
        return -self._balances.get("exchange", ZERO) - self._abroad("exchange", marks)

    def trial_balance(self) -> Decimal:
        """Sum of all balances: zero."""
        return _total(self._balances.values())

    def _account(self, name: str, currency: str) -> str:
        """Name of an account in a currency; the account's own is left out but for cash."""
        own = not currency or currency == self.currency
        if name == "cash":
            return self._cash if own else f"cash:{currency}"
        return name if own else f"{name}:{currency}"

    def _abroad(self, name: str, marks: Mapping[str, Decimal]) -> Decimal:
        """Balances of an account in other currencies, at their rates."""
        start = f"{name}:"
        foreign = [
            (account.removeprefix(start), balance)
            for account, balance in self._balances.items()
            if balance and account.startswith(start) and account != self._cash
        ]
        return sum((balance * _mark(marks, f"{c}/{self.currency}") for c, balance in foreign), ZERO)

    def _hold(self, symbol: str, lots: Lots, position: Position) -> None:
        if lots:
            self._lots[symbol], self._positions[symbol] = lots, position
        else:
            self._lots.pop(symbol, None)
            self._positions.pop(symbol, None)

    def _post(self, posting: Posting) -> Posting:
        balances = self._balances
        changed = {name: balances.get(name, ZERO) + amount for name, amount in posting.lines}
        for name, balance in changed.items():
            _check(f"Balance of {name}", balance)
        balances.update(changed)
        return posting


def _position(lots: Lots) -> Position:
    if len(lots) == 1:
        return Position(lots[0].quantity, lots[0].cost)
    return Position(tax.quantity_of(lots), tax.cost_of(lots)) if lots else FLAT


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _mark(marks: Mapping[str, Decimal], symbol: str) -> Decimal:
    mark = marks.get(symbol)
    if mark is None or not mark.is_finite():
        raise TradingError(f"{symbol} is held and its mark is {mark}. Give a price for each held symbol.")
    return mark


def _check(what: str, amount: Decimal, decimals: int = MONEY_DECIMALS) -> None:
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or abs(amount) >= LARGEST:
        raise AmountError(what, amount, decimals)
    if exponent < -decimals and amount != amount.quantize(Decimal(1).scaleb(-decimals), context=WIDE):
        raise AmountError(what, amount, decimals)
