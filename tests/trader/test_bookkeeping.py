"""What a venue keeps and no order brought, over the wire: taken over once, followed, adopted by a person's word."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.base import VenueDownError
from nt_ray.config import load_settings
from nt_ray.errors import BadInputError, NeuralTraderError, TradingError
from nt_ray.risk.breaker import BreakerState
from nt_ray.storage.holding import holder_of
from nt_ray.trader.account import Account
from nt_ray.trader.connection import Connection, books_of
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.ledger import Charge
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side

ME = ("ann", "drill")
D = Decimal


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=100_000) as running:
        yield running


class Room:
    """Opens the account anew on one journal, under a clock that the test sets."""

    def __init__(self, stack: ExitStack, simulator: AlpacaSimulator, state: Path) -> None:
        self.stack, self.simulator, self.state = stack, simulator, state
        self.now = datetime.now(UTC)

    def settings(self, **values: Any) -> Any:
        access = self.simulator.access()
        table = {"kind": "alpaca", "url": self.simulator.url, "key": access.key.get_secret_value()}
        table["secret"] = access.secret.get_secret_value()
        named = {f"brokers.paper.{name}": value for name, value in table.items()}
        return load_settings(
            None, {"brokers.enabled": "paper", "state": str(self.state), **named, **values}, environ={}
        )

    def open(self, *symbols: str, name: str = "", **values: Any) -> Account:
        if name:
            self.state = self.state.parent / name
        connection = Connection(self.settings(**values), "paper")
        self.stack.callback(connection.close)
        account = connection.open(sorted({"AAPL", *symbols}), lambda: self.now)
        self.stack.callback(account.close)
        return account

    def later(self, account: Account, price: str = "100", **more: Any) -> Any:
        """Look at the venue again after a while."""
        self.now += timedelta(**(more or {"minutes": 2}))
        self.simulator.price("AAPL", price)
        return account.sync(self.now, {"AAPL": D(price)})


@pytest.fixture
def room(simulator: AlpacaSimulator, tmp_path: Path) -> Iterator[Room]:
    with ExitStack() as stack:
        yield Room(stack, simulator, tmp_path / "state")


def order(name: str, quantity: str, side: Side = Side.BUY, **changes: Any) -> OrderRequest:
    return OrderRequest(name, "AAPL", side, D(quantity), "test", **changes)


def agrees(account: Account) -> None:
    assert account.reconcile().differences == ()
    assert sum(account.books.ledger.balances.values()) == 0


def test_a_daily_loss_that_is_to_be_reset_by_hand_still_stops_on_the_next_day(room: Room) -> None:
    values = {"risk.daily_loss_by_hand": True, "risk.max_concentration": 2.0, "risk.max_order_size": "100000"}
    account = room.open(**values)
    room.later(account)
    assert account.submit([order("in", "900")])[0].status is OrderStatus.ACCEPTED
    assert room.later(account).breaker == ()
    assert room.later(account, "90").breaker == ("daily_loss",)
    assert room.later(account, "90", days=1).breaker == ("daily_loss",)
    for again in (room.open(**values).books, books_of(room.settings(**values), "paper")):
        assert again.breaker_state is BreakerState.HALF_OPEN
    account = room.open(**values)
    account.change_limits({"daily_loss_by_hand": False}, *ME)
    assert room.later(account, "90", days=1).breaker == ()


def test_a_live_account_closes_the_lots_that_the_settings_say(room: Room) -> None:
    account = room.open(**{"account.lots": "lifo"})
    for name, price in (("old", "100"), ("new", "110")):
        room.later(account, price)
        account.submit([order(name, "1")])
        room.later(account, price)
    account.submit([order("out", "1", Side.SELL)])
    room.later(account, "110")
    assert [lot.cost for lot in account.lots("AAPL")] == [D(100)]
    assert books_of(room.settings(**{"account.lots": "lifo"}), "paper").ledger.lots("AAPL") == account.lots("AAPL")
    agrees(account)


def hold(room: Room, quantity: str, side: Side = Side.BUY, **changes: Any) -> None:
    """Let somebody else trade at the venue."""
    other = room.open(name="other")
    room.later(other)
    assert other.submit([order(f"theirs-{quantity}-{side}", quantity, side, **changes)])[0].status.is_open
    room.state = room.state.parent / "state"


@pytest.mark.parametrize("side", Side)
def test_what_the_venue_holds_when_the_journal_is_new_is_taken_over_with_its_cost(room: Room, side: Side) -> None:
    hold(room, "100", side)
    room.simulator.price("AAPL", "120")
    account = room.open()
    units = 100 * side.sign
    (lot,) = account.lots("AAPL")
    assert (lot.quantity, lot.cost) == (units, 100 * units)
    assert account.state().equity == 100_000 + 20 * units
    state = room.later(account, "120")
    assert (state.equity, state.breaker, state.positions) == (100_000 + 20 * units, (), {"AAPL": D(units)})
    agrees(account)
    out = Side.SELL if side is Side.BUY else Side.BUY
    assert account.submit([order("out", "100", out, reduce_only=False)])[0].status is OrderStatus.ACCEPTED
    assert room.later(account, "120").positions == {}
    assert account.books.ledger.realised == 20 * units
    again = room.open()
    agrees(again)
    assert sum(isinstance(event, a.UnitsTransferred) for event in again.events()) == 1


def test_a_venue_that_keeps_another_currency_is_not_taken_over_and_its_journal_is_let_go(room: Room) -> None:
    with pytest.raises(TradingError, match="paper keeps USD, and the books EUR") as raised:
        room.open(**{"account.currency": "EUR"})
    # The error is held here, and with it what was open when it was raised.
    assert holder_of(room.state / "paper.sqlite") is None
    assert raised.value.code == "trading"


def test_what_the_venue_books_while_it_is_taken_over_counts_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    read, pending = AlpacaBroker.account, ["12.34"]

    def account_and_then_a_dividend(broker: AlpacaBroker) -> Any:
        found = read(broker)
        while pending:
            room.simulator.control("/simulator/activity", kind="DIV", amount=pending.pop(), symbol="AAPL")
        return found

    monkeypatch.setattr(AlpacaBroker, "account", account_and_then_a_dividend)
    account = room.open()
    room.later(account)
    assert account.state().cash == D("100012.34")
    agrees(account)


def test_holdings_can_be_sold_where_shorting_is_off(room: Room) -> None:
    hold(room, "10")
    account = room.open(**{"risk.shorting": False})
    room.later(account)
    assert account.submit([order("out", "10", Side.SELL)])[0].status is OrderStatus.ACCEPTED


def test_the_venues_long_past_before_the_journal_began_is_not_read_with_every_look(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(room, "10")
    account = room.open()
    asked: list[Any] = []
    fills = account._broker.fills
    monkeypatch.setattr(account._broker, "fills", lambda since: asked.append(since) or fills(since))
    room.later(account)
    agrees(account)
    assert account.adopt(*ME).agrees
    assert len(asked) > 3
    assert all(since is not None and room.now - since < timedelta(days=2) for since in asked)


def test_what_is_traded_elsewhere_is_adopted_by_a_persons_word_once(room: Room) -> None:
    account = room.open()
    room.later(account)
    account.submit([order("in", "5")])
    room.later(account)
    account.close()
    hold(room, "5", Side.SELL)
    hold(room, "3", Side.SELL)
    room.simulator.control("/simulator/cash", amount="-50")
    account = room.open()
    room.later(account)
    assert {d.kind for d in account.reconcile().differences} == {"execution", "position", "cash"}
    with pytest.raises(BadInputError, match="signature"):
        account.adopt("ann", " ")
    equity = account.state().equity
    left = account.adopt(*ME)
    assert left.agrees
    assert (account.state().positions, account.state().cash) == ({"AAPL": D(-3)}, D(100_250))
    assert room.later(account).breaker == ()
    assert account.state().equity == equity
    assert sum(account.books.ledger.balances.values()) == 0
    events = len(list(account.events()))
    account.adopt(*ME)
    assert len(list(account.events())) == events
    told = [event for event in account.events() if isinstance(event, a.UnitsTransferred)]
    assert [(event.who, event.reason, event.quantity) for event in told] == [(*ME, D(-8))]


def test_nothing_is_adopted_while_an_order_is_in_doubt_or_the_venue_is_silent(room: Room) -> None:
    account = room.open()
    room.later(account)
    room.simulator.fault("drop_after", method="POST")
    account.submit([order("a", "1", type=OrderType.LIMIT, limit_price=D(90))])
    room.simulator.fault("drop_before", method="GET", path="/v2/orders:by_client_order_id", count=50)
    with pytest.raises(TradingError, match="what became of a"):
        account.adopt(*ME)
    room.simulator.heal()
    agrees(account)
    assert account.adopt(*ME).agrees


def test_what_the_venue_booked_with_an_execution_is_not_adopted_as_well(room: Room) -> None:
    account = room.open()
    room.later(account)
    account.submit([order("in", "5")])
    room.simulator.control("/simulator/activity", kind="DIV", amount="12.34", symbol="AAPL")
    assert account.adopt(*ME).agrees
    room.later(account)
    assert (account.books.ledger.dividends, account.books.ledger.capital) == (D("12.34"), 100_000)
    agrees(account)


def test_nothing_is_adopted_while_the_venue_does_not_say_what_it_booked(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = room.open()
    room.later(account)
    room.simulator.control("/simulator/activity", kind="DIV", amount="12.34", symbol="AAPL")

    def away(_: Any) -> Any:
        raise VenueDownError("It is away. Wait.")

    monkeypatch.setattr(account._custodian, "activities", away)
    with pytest.raises(VenueDownError, match="does not say what it booked"):
        account.adopt(*ME)
    monkeypatch.undo()
    room.later(account)
    assert (account.books.ledger.dividends, account.books.ledger.capital) == (D("12.34"), 100_000)
    agrees(account)


ACTIVITIES = [
    ("DIV", {"amount": "12.34", "symbol": "AAPL"}, "dividends", "12.34"),
    ("DIVNRA", {"amount": "-1.85", "symbol": "AAPL"}, "dividends", "-1.85"),
    ("FEE", {"amount": "-0.02"}, Charge.FEES, "0.02"),
    ("INT", {"amount": "-3.10"}, Charge.INTEREST, "3.10"),
    ("CSD", {"amount": "500"}, "capital", "500"),
    ("JNLC", {"amount": "-70"}, "capital", "-70"),
]


def booked(account: Account, what: str) -> Decimal:
    ledger = account.books.ledger
    if what == "capital":
        return ledger.capital - 100_000
    return ledger.charged(Charge(what)) if what in tuple(Charge) else ledger.dividends


@pytest.mark.parametrize(("kind", "body", "what", "amount"), ACTIVITIES, ids=[row[0] for row in ACTIVITIES])
def test_what_the_venue_books_is_booked_once_however_often_the_account_is_opened(
    room: Room, kind: str, body: dict[str, str], what: str, amount: str
) -> None:
    room.simulator.control("/simulator/activity", kind=kind, **body)
    start = 100_000 + D(body["amount"])
    account = room.open()
    room.later(account)
    assert (booked(account, what), account.state().cash) == (start - 100_000 if what == "capital" else 0, start)
    before = booked(account, what)
    room.simulator.control("/simulator/activity", kind=kind, **body)
    for _ in range(2):
        room.later(account)
        assert (booked(account, what) - before, account.state().cash) == (D(amount), start + D(body["amount"]))
        agrees(account)
        assert account.state().breaker == ()
        account = room.open()
    agrees(account)


@pytest.mark.parametrize(("qty", "ratio"), [("10", (2, 1)), ("-5", (1, 2)), ("5", (3, 2))])
def test_a_split_and_units_that_come_in_change_what_is_held(room: Room, qty: str, ratio: tuple[int, int]) -> None:
    account = room.open()
    room.later(account)
    account.submit([order("in", "10")])
    room.later(account)
    room.simulator.control("/simulator/activity", kind="SPLIT", amount="0", symbol="AAPL", qty=qty)
    room.later(account)
    (event,) = [event for event in account.events() if isinstance(event, a.SplitApplied)]
    assert (event.new, event.old) == ratio
    assert account.state().positions == {"AAPL": 10 + D(qty)}
    assert account.books.ledger.position("AAPL").cost == 1000
    agrees(account)
    room.simulator.control("/simulator/activity", kind="ACATS", amount="0", symbol="AAPL", qty="3", price="40")
    room.later(account)
    assert account.books.ledger.position("AAPL").cost == 1120
    agrees(account)
    agrees(room.open())


def test_what_the_venue_booked_while_nobody_looked_is_made_up_for_however_long_that_was(room: Room) -> None:
    account = room.open()
    room.later(account)
    account.close()
    room.simulator.control("/simulator/activity", kind="DIV", amount="12.34", symbol="AAPL")
    room.now += timedelta(days=40)
    account = room.open()
    room.later(account)
    assert account.books.ledger.dividends == D("12.34")
    agrees(account)


def test_units_whose_worth_nobody_knows_count_nothing_until_a_price_comes(room: Room) -> None:
    account = room.open()
    room.later(account)
    room.simulator.price("MSFT", "7")
    room.simulator.control("/simulator/activity", kind="JNLS", amount="0", symbol="MSFT", qty="3")
    for _ in range(2):
        state = room.later(account)
        assert (state.equity, state.positions) == (100_000, {"MSFT": D(3)})
        account = room.open()
    room.now += timedelta(seconds=5)
    assert account.sync(room.now, {"MSFT": D(7)}).equity == 100_021


@pytest.mark.parametrize(
    "book",
    [
        lambda account, now: account.deposit(D("1e-9"), "dust"),
        lambda account, now: account.act(a.CashTransferred(now, "dust", D("1e-9"), *ME)),
        lambda account, now: account.act(a.DividendPaid(now + timedelta(days=300), "early", "AAPL", D(1))),
    ],
    ids=["deposit", "dust", "early"],
)
def test_what_cannot_be_booked_is_refused_before_it_is_written_down(room: Room, book: Any) -> None:
    account = room.open()
    room.later(account)
    events = list(account.events())
    with pytest.raises(NeuralTraderError):
        book(account, room.now)
    assert list(account.events()) == events
    agrees(room.open())


def test_an_activity_that_cannot_be_booked_is_passed_over_once_and_left_to_the_reconciliation(room: Room) -> None:
    account = room.open()
    room.simulator.control("/simulator/activity", kind="DIV", amount="0.0000000001", symbol="AAPL")
    room.simulator.control("/simulator/activity", kind="FEE", amount="-2")
    for _ in range(2):
        room.later(account)
        account.reconcile()
    assert account.state().cash == 99_998
    assert sum(isinstance(event, e.ActivitiesPassed) for event in account.events()) == 2
    agrees(account)


def test_what_is_disputed_is_settled_by_a_persons_word(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    account = room.open()
    room.later(account)
    account.submit([order("a", "2")])
    fills = account._broker.fills
    monkeypatch.setattr(account._broker, "fills", lambda since: [replace(f, quantity=D(3)) for f in fills(since)])
    assert room.later(account).halts.keys() == {"symbol:AAPL"}
    assert {d.kind for d in account.reconcile().differences} >= {"dispute", "position", "cash"}
    account.adopt(*ME)
    monkeypatch.undo()
    account.resume("symbol:AAPL", *ME)
    assert room.later(account).halts == {}
    assert (account.state().positions, account.state().cash) == ({"AAPL": D(2)}, D(99_800))
    again = room.open()
    assert (again.books.disputes, again.state().positions, again.state().cash) == ({}, {"AAPL": D(2)}, D(99_800))
    assert (again.order("a").status, again.order("a").filled_quantity) == (OrderStatus.CANCELED, 0)
    agrees(again)
