"""Books written down and read back go on exactly as those that were never interrupted."""

import json
import random
from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import NeuralTraderError
from nt_ray.trader.books import Books
from nt_ray.trader.books_snapshot import frozen, restore, snapshot, written
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.columns import ColumnError
from nt_ray.trading.lots import LotMethod
from nt_ray.trading.orders import Fill, OrderRequest, OrderType, Side

START = datetime(2026, 1, 2, tzinfo=UTC)
SYMBOLS = ("KO", "PEP", "MMM")
LEFT_OUT = {"_handlers", "_by_hand", "_pending", "_reserved", "now", "references", "told"}


def tree(value: Any) -> Any:
    """Everything an object holds, as plain values that compare digit by digit."""
    if isinstance(value, dict):
        return {"": type(value).__name__, **{repr(k): tree(v) for k, v in value.items()}}, [repr(k) for k in value]
    if isinstance(value, (list, tuple, deque)):
        return [type(value).__name__, getattr(value, "maxlen", None), *map(tree, value)]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    names = getattr(value, "__slots__", None) or (list(vars(value)) if hasattr(value, "__dict__") else None)
    if names and type(value).__module__.startswith("nt_ray"):
        return {name: tree(getattr(value, name)) for name in names}
    return repr(value)


def state(books: Books) -> Any:
    return {name: tree(value) for name, value in vars(books).items() if name not in LEFT_OUT}


class Driver:
    """Events that could have happened, chosen by a seed; the books themselves say which are legal."""

    def __init__(self, seed: int, method: LotMethod) -> None:
        self.random = random.Random(seed)
        self.books = Books(lots=method)
        self.events: list[e.Event] = []
        self.time = START
        self.number = 0

    def run(self, count: int) -> list[e.Event]:
        self.try_(e.Deposited(self.time, "initial", Decimal(1_000_000)))
        self.try_(e.Marked(self.time, {symbol: Decimal(50) for symbol in SYMBOLS}))
        for _ in range(count):
            self.time += timedelta(minutes=self.random.randrange(600))
            choice = self.random.choice
            choice([self.enter, self.enter, self.move, self.move, self.move, self.move, self.mark, self.other])()
        return self.events

    def try_(self, event: e.Event) -> bool:
        before = snapshot(self.books)
        try:
            self.books.apply(event)
        except NeuralTraderError:
            again = Books(lots=self.books.ledger.method)
            restore(again, before)
            self.books = again
            return False
        self.events.append(event)
        return True

    def price(self) -> Decimal:
        return Decimal(self.random.randrange(4000, 6000)).scaleb(-2)

    def enter(self) -> None:
        self.number += 1
        name, choice = f"o.{self.number}", self.random.choice
        kind = choice([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP])
        request = OrderRequest(
            name,
            choice(SYMBOLS),
            choice(list(Side)),
            Decimal(self.random.randrange(1, 50)),
            choice(["momentum", "pairs"]),
            kind,
            limit_price=self.price() if kind is OrderType.LIMIT else None,
            stop_price=self.price() if kind is OrderType.STOP else None,
            parent=f"o.{self.number - 1}" if self.number > 1 and self.random.random() < 0.2 else "",
            oco_group=f"g{self.number // 3}" if self.random.random() < 0.3 else "",
        )
        self.try_(e.OrderInitialized(self.time, request))
        if self.random.random() < 0.1:
            self.try_(e.OrderDenied(self.time, name, "rule", "1", "2", "too much"))
        else:
            self.try_(e.OrderSubmitted(self.time, name))

    def move(self) -> None:
        if not self.books.orders:
            return
        order = self.random.choice(list(self.books.orders.values())[-12:])
        request, name = order.request, order.request.client_order_id
        self.number += 1
        quantity = Decimal(self.random.randrange(1, int(request.quantity) + 1))
        fill = Fill(
            f"x{self.number}", name, request.symbol, request.side, quantity, self.price(), Decimal("0.35"), self.time
        )
        self.try_(
            self.random.choice(
                [
                    e.OrderAccepted(self.time, name, f"v{self.number}"),
                    e.OrderFilled(self.time, fill),
                    e.OrderFilled(self.time, fill),
                    e.OrderFilled(self.time, fill),
                    e.OrderRejected(self.time, name, "no", False),
                    e.PendingCancel(self.time, name),
                    e.CancelRejected(self.time, name, "too late"),
                    e.OrderCanceled(self.time, name),
                    e.PendingReplace(self.time, name, "o.9"),
                    e.ReplaceRejected(self.time, name, "no"),
                    e.OrderExpired(self.time, name),
                    e.OrderGivenUp(self.time, name, "unknown"),
                    e.OrderFound(self.time, name, f"v{self.number}"),
                    e.FactDisputed(self.time, name, f"f{self.number}", "too large"),
                    e.RequestRefused(self.time, name, "duplicate_id", "twice"),
                ]
            )
        )

    def mark(self) -> None:
        self.try_(e.Marked(self.time, {self.random.choice(SYMBOLS): self.price()}))

    def other(self) -> None:
        self.number += 1
        name, symbol = f"a{self.number}", self.random.choice(SYMBOLS)
        held = self.books.ledger.position(symbol).quantity
        lots = tuple(lot.lot_id for lot in self.books.ledger.lots(symbol)[-1:])
        self.try_(
            self.random.choice(
                [
                    e.Deposited(self.time, name, Decimal("12.34")),
                    a.DividendPaid(self.time, name, symbol, Decimal("1.50")),
                    a.SplitApplied(self.time, name, symbol, 2, 1, held * 2, Decimal(0)),
                    a.Charged(self.time, name, "borrow", Decimal("0.07")),
                    a.CashTransferred(self.time, name, Decimal("-3.21"), "ann", "adopted"),
                    a.UnitsTransferred(
                        self.time, name, symbol, Decimal("2.5"), self.price(), self.price(), "ann", "adopted"
                    ),
                    e.DisputesSettled(self.time, tuple(self.books.disputes), "ann", "looked"),
                    e.ActivitiesPassed(self.time, (name,)),
                    a.LotsNamed(self.time, f"o.{self.number + 1}", symbol, lots),
                    e.BreakerTripped(self.time, "daily_loss", "0.05", "0.06"),
                    e.BreakerReset(self.time, "ann", "checked"),
                    e.KillSwitchSet(self.time, "strategy:pairs", "ann", "checking"),
                    e.KillSwitchCleared(self.time, "strategy:pairs", "ann", "checked"),
                ]
            )
        )


@settings(max_examples=25)
@given(st.integers(0, 10**9), st.sampled_from(LotMethod), st.floats(0, 1))
def test_a_snapshot_and_the_events_after_it_equal_all_events(seed: int, method: LotMethod, where: float) -> None:
    events = Driver(seed, method).run(80)
    whole, first = Books(lots=method), Books(lots=method)
    for event in events:
        whole.apply(event)
    cut = int(where * len(events))
    for event in events[:cut]:
        first.apply(event)
    again = Books(lots=method)
    restore(again, snapshot(first))
    assert state(again) == state(first)
    for event in events[cut:]:
        again.apply(event)
    assert state(again) == state(whole)
    assert snapshot(again) == snapshot(whole)


def test_every_attribute_is_written_or_known_to_be_none_of_its_business() -> None:
    assert json.loads(snapshot(Books())).keys() == vars(Books()).keys() - LEFT_OUT


def test_a_live_account_that_is_followed_writes_its_snapshots(open_live: Any, venue: Any) -> None:
    account = open_live()
    account.submit([OrderRequest("a", "KO", Side.BUY, Decimal(2), "test")])
    venue.execute("a", 2)
    assert [change.event for change in account.changes(0).changes][-1] == "OrderAccepted"
    checkpoints = account._account._checkpoints
    checkpoints._every = 1
    account.sync()
    checkpoints.finish()
    again = Books()
    kept = account._account._journal.snapshot()
    restore(again, kept.state)
    assert state(again) == state(account._account.books)
    assert again.told is None


def test_the_drive_meets_every_kind_of_event_it_can_make() -> None:
    kinds = {type(event).__name__ for seed in range(8) for event in Driver(seed, LotMethod.SPECIFIC).run(120)}
    assert kinds >= {
        "OrderInitialized",
        "OrderDenied",
        "OrderSubmitted",
        "OrderAccepted",
        "OrderFilled",
        "OrderRejected",
        "OrderCanceled",
        "OrderExpired",
        "Marked",
        "DividendPaid",
        "SplitApplied",
        "LotsNamed",
        "BreakerTripped",
        "KillSwitchSet",
    }


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"orders": 1}', "not json"])
def test_text_that_is_no_snapshot_is_refused_and_changes_nothing(text: str) -> None:
    books = Books()
    before = state(books)
    with pytest.raises(ColumnError):
        restore(books, text)
    assert state(books) == before


def test_a_snapshot_by_another_lot_method_is_refused() -> None:
    with pytest.raises(ColumnError, match="keeps fifo lots"):
        restore(Books(), snapshot(Books(lots=LotMethod.FIFO)))


@given(st.integers(0, 10_000), st.sampled_from(list(LotMethod)))
@settings(max_examples=15)
def test_a_copy_stays_as_it_was_while_the_books_go_on(seed: int, method: LotMethod) -> None:
    driver = Driver(seed, method)
    driver.run(30)
    copy, then = frozen(driver.books), snapshot(driver.books)
    driver.run(40)
    assert written(copy) == then
