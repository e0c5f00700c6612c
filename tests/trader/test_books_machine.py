"""Any sequence of orders, fills, cancels, reservations and bookings: nothing negative, all balanced, replays equal."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nt_ray.trader.books import Books
from nt_ray.trader.books_snapshot import restore, snapshot
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.encoding import decode, encode
from nt_ray.trading.lots import LotMethod
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus, OrderType, Side

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
PLAIN, LINKED = ("KO", "PEP"), ("MMM",)
PRICES = st.integers(1, 10**5).map(lambda n: Decimal(n).scaleb(-2))
QUANTITIES = st.integers(1, 10**12).map(lambda n: Decimal(n).scaleb(-9)) | st.integers(1, 50).map(Decimal)
WORKING = (OrderStatus.SUBMITTED, OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)


class Desk(RuleBasedStateMachine):
    """Books beside units that are added up anew from executions and transfers."""

    def __init__(self) -> None:
        super().__init__()
        self.time = START
        self.events: list[e.Event] = []
        self.units = dict.fromkeys((*PLAIN, *LINKED), Fraction(0))
        self.number = 0
        self.middle: tuple[str, int] | None = None

    @initialize(method=st.sampled_from(LotMethod), capital=st.integers(1, 10**7))
    def open(self, method: LotMethod, capital: int) -> None:
        self.books = Books(lots=method)
        self.tell(e.EpochStarted, 1, "desk")
        self.tell(e.Deposited, "initial", Decimal(capital))
        self.tell(e.Marked, dict.fromkeys(self.units, Decimal(50)))

    def tell(self, kind: Any, *values: Any) -> None:
        self.time += timedelta(seconds=7)
        event = kind(self.time, *values)
        self.books.apply(event)
        self.events.append(event)

    def name(self, start: str = "o") -> str:
        self.number += 1
        return f"{start}{self.number}"

    def orders(self, fits: Callable[[Order], bool]) -> list[str]:
        return [name for name, order in self.books.orders.items() if fits(order)]

    def one(self, data: st.DataObject, fits: Callable[[Order], bool]) -> Order | None:
        names = self.orders(fits)
        return self.books.orders[data.draw(st.sampled_from(names))] if names else None

    def request(self, data: st.DataObject) -> OrderRequest:
        symbol = data.draw(st.sampled_from((*PLAIN, *LINKED)))
        side = data.draw(st.sampled_from(Side))
        kind = data.draw(st.sampled_from(["market", "limit", "stop", "notional"]))
        if kind == "notional":
            return OrderRequest(self.name(), symbol, side, Decimal(0), "test", notional=data.draw(PRICES))
        links = {}
        if symbol in LINKED:
            known = self.orders(lambda o: o.request.symbol == symbol and o.status.is_open)
            parent = data.draw(st.sampled_from(["", *known]))
            links = {"parent": parent, "oco_group": data.draw(st.sampled_from(["", "g1", "g2"]))}
        prices = {"limit": {"limit_price": data.draw(PRICES)}, "stop": {"stop_price": data.draw(PRICES)}}
        return OrderRequest(
            self.name(), symbol, side, data.draw(QUANTITIES), "test", OrderType(kind), **prices.get(kind, {}), **links
        )

    @rule(data=st.data())
    def enter(self, data: st.DataObject) -> None:
        request = self.request(data)
        self.tell(e.OrderInitialized, request)
        self.tell(e.OrderSubmitted, request.client_order_id)

    @rule(data=st.data(), count=st.integers(1, 3))
    def reserve_and_release(self, data: st.DataObject, count: int) -> None:
        before = [(line.buys, line.sells) for line in self.books.exposure.lines.values()]
        held, reserved = dict(self.books.claims.held), self.books.ledger.reserved
        requests = [self.request(data) for _ in range(count)]
        for request in requests:
            self.books.reserve(request)
            assert all(line.buys >= 0 and line.sells >= 0 for line in self.books.exposure.lines.values())
        self.books.release(requests)
        after = [(line.buys, line.sells) for line in self.books.exposure.lines.values()]
        assert after[: len(before)] == before
        assert (self.books.claims.held, self.books.ledger.reserved) == (held, reserved)

    @rule(data=st.data(), whole=st.booleans(), price=PRICES)
    def execute(self, data: st.DataObject, whole: bool, price: Decimal) -> None:
        order = self.one(data, lambda o: o.status.is_open or o.status is OrderStatus.CANCELED)
        if order is None:
            return
        request = order.request
        left = request.quantity - order.filled_quantity
        leaves = None
        if request.notional is not None:
            quantity, leaves = data.draw(QUANTITIES), Decimal(0) if whole else None
        elif left:
            part = (left * data.draw(st.integers(1, 9)) / 10).quantize(Decimal("1e-9"))
            quantity = left if whole or not part else part
        else:
            return
        fill = Fill(
            self.name("x"), request.client_order_id, request.symbol, request.side, quantity, price, Decimal("0.01"),
            self.time, leaves,
        )  # fmt: skip
        self.tell(e.OrderFilled, fill)
        self.units[request.symbol] += Fraction(fill.signed_quantity)

    @rule(data=st.data(), answer=st.sampled_from([e.OrderCanceled, e.OrderExpired, e.OrderGivenUp, e.CancelRejected]))
    def cancel(self, data: st.DataObject, answer: Any) -> None:
        order = self.one(data, lambda o: o.status in WORKING)
        if order is not None:
            name = order.request.client_order_id
            self.tell(e.PendingCancel, name)
            self.tell(answer, name, *(["why"] if answer in (e.OrderGivenUp, e.CancelRejected) else []))

    @rule(data=st.data())
    def give_up_and_find(self, data: st.DataObject) -> None:
        order = self.one(data, lambda o: o.status is OrderStatus.SUBMITTED or o.is_lost)
        if order is None:
            return
        if order.is_lost:
            self.tell(e.OrderFound, order.request.client_order_id, "v")
        else:
            self.tell(e.OrderGivenUp, order.request.client_order_id, "unknown")

    @rule(data=st.data())
    def name_lots(self, data: st.DataObject) -> None:
        order = self.one(data, lambda o: o.status.is_open)
        if order is not None:
            lots = [lot.lot_id for lot in self.books.ledger.lots(order.request.symbol)]
            named = data.draw(st.permutations(lots)) if lots else []
            self.tell(a.LotsNamed, order.request.client_order_id, order.request.symbol, tuple(named))

    @rule(symbol=st.sampled_from((*PLAIN, *LINKED)), quantity=QUANTITIES, out=st.booleans(), price=PRICES, mark=PRICES)
    def transfer(self, symbol: str, quantity: Decimal, out: bool, price: Decimal, mark: Decimal) -> None:
        signed = -quantity if out else quantity
        before = self.books.equity
        self.tell(a.UnitsTransferred, self.name("t"), symbol, signed, price, mark, "ann", "drill")
        assert self.books.equity - before == signed * mark
        self.units[symbol] += Fraction(signed)

    @precondition(lambda self: any(self.units.values()))
    @rule(data=st.data(), times=st.sampled_from([2, 4, 5]))
    def split(self, data: st.DataObject, times: int) -> None:
        symbol = data.draw(st.sampled_from([s for s, units in self.units.items() if units]))
        held = self.books.ledger.position(symbol).quantity
        self.tell(a.SplitApplied, self.name("s"), symbol, times, 1, held * times, Decimal(0))
        self.units[symbol] *= times

    @rule(symbol=st.sampled_from((*PLAIN, *LINKED)), price=PRICES)
    def mark(self, symbol: str, price: Decimal) -> None:
        self.tell(e.Marked, {symbol: price})

    @rule()
    def keep(self) -> None:
        self.middle = (snapshot(self.books), len(self.events))

    @invariant()
    def nothing_that_is_held_back_is_negative(self) -> None:
        books = self.books
        assert books.ledger.reserved == sum(vars(books.ledger)["_reserved"].values())
        assert all(amount > 0 for amount in vars(books.ledger)["_reserved"].values())
        assert all(quantity > 0 for quantity in books.claims.held.values())
        assert all(line.buys >= 0 and line.sells >= 0 for line in books.exposure.lines.values())
        if not books.open:
            assert (books.ledger.reserved, books.claims.held) == (0, {})
            assert all(line.buys == line.sells == 0 for line in books.exposure.lines.values())

    @invariant()
    def open_quantity_is_what_open_orders_may_still_trade(self) -> None:
        for symbol in PLAIN:
            line = self.books.exposure.peek(symbol)
            for side, held in ((Side.BUY, line.buys), (Side.SELL, line.sells)):
                orders = [o for o in self.books.resting(symbol, side) if o.request.notional is None]
                by_money = sum(
                    self.books.claims.held.get(o.request.client_order_id, Decimal(0))
                    for o in self.books.resting(symbol, side)
                    if o.request.notional is not None
                )
                assert held == by_money + sum(o.request.quantity - o.filled_quantity for o in orders)

    @invariant()
    def positions_are_executions_and_transfers_and_everything_balances(self) -> None:
        ledger = self.books.ledger
        assert ledger.trial_balance() == 0
        for symbol, units in self.units.items():
            assert Fraction(ledger.position(symbol).quantity) == units
            assert sum(lot.quantity for lot in ledger.lots(symbol)) == self.books.exposure.peek(symbol).position
        marks = self.books.marks
        exact = sum((Fraction(marks[s]) * units for s, units in self.units.items()), Fraction(ledger.cash))
        profit = ledger.realised + ledger.unrealised(marks) - ledger.commission
        assert Fraction(ledger.equity(marks)) == exact == Fraction(ledger.capital + profit)

    def teardown(self) -> None:
        again = Books(lots=self.books.ledger.method)
        for event in self.events:
            again.apply(decode(encode(event)))
        assert facts(again) == facts(self.books)
        if self.middle is not None:
            kept, count = self.middle
            later = Books(lots=self.books.ledger.method)
            restore(later, kept)
            for event in self.events[count:]:
                later.apply(decode(encode(event)))
            assert facts(later) == facts(self.books)


def facts(books: Books) -> list[Any]:
    """What books say, however their numbers are written."""
    ledger = books.ledger
    lines = {s: (line.position, line.buys, line.sells) for s, line in books.exposure.lines.items() if line.mark}
    told: list[Any] = [books.orders, books.fills, list(books.open), books.marks, books.equity, books.breaker, lines]
    kept = vars(ledger)
    return [*told, ledger.balances, kept["_lots"], kept["_named"], kept["_reserved"], books.claims.held]


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
