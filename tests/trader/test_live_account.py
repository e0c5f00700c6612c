"""A live account over the simulated exchange and over a venue that waits: many callers, one writer, one watcher."""

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from nt_ray.brokers.base import (
    AmbiguousError,
    VenueDownError,
    VenueOrder,
    VenueUpdate,
)
from nt_ray.errors import BadInputError, FencedError, StorageError, TradingError
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.journal import Journal
from nt_ray.storage.opening import opened
from nt_ray.storage.sqlite_journal import SqliteJournal
from nt_ray.trader.books import Books, UnknownOrderError
from nt_ray.trader.books_snapshot import snapshot
from nt_ray.trader.checkpoint import Checkpoints
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side

PATIENCE_S = 20.0
LIMITS = RiskLimits(max_messages=9_999, max_strategy_messages=9_999)
Open = Callable[..., LiveAccount]
WaitingVenue: TypeAlias = Any
Times: TypeAlias = Any


def buy(number: object, quantity: int = 1, **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"strategy": "test", "type": OrderType.LIMIT, "limit_price": Decimal(40)}
    return OrderRequest(f"o{number}", "KO", Side.BUY, Decimal(quantity), **(values | changes))


def folded(path: Path) -> Books:
    books = Books()
    with opened(path) as journal:
        Checkpoints(journal).replay(books)
    return books


def events_of(path: Path) -> list[e.Event]:
    with opened(path) as journal:
        assert journal.verify().fault is None
        return [entry.event for entry in journal.read()]


def test_orders_of_many_threads_are_each_sent_once_and_the_journal_folds_to_the_same_books(
    open_live: Open, venue: WaitingVenue, tmp_path: Path
) -> None:
    account = open_live(watch=True, sync_s=0.01, hear_s=0.002)
    with ThreadPoolExecutor(8) as pool:
        reports = [r for found in pool.map(lambda n: account.submit([buy(n)]), range(200)) for r in found]
    assert {r.status for r in reports} == {OrderStatus.ACCEPTED}
    assert [r.request.client_order_id for r in reports] == [f"o{n}" for n in range(200)]
    assert sorted(venue.sent) == sorted(f"o{n}" for n in range(200))
    account.close()
    books = folded(tmp_path / "journal.sqlite")
    assert {i: o.status for i, o in books.orders.items()} == {
        o.request.client_order_id: o.status for o in account.orders()
    }
    assert books.exposure.line("KO").buys == 200


def test_orders_that_come_together_are_journalled_in_one_append(
    open_live: Open, venue: WaitingVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = open_live()
    appends: list[list[str]] = []
    entered, goes_on = threading.Event(), threading.Event()
    append = Journal.append

    def noted(self: Journal, events: Any, *, durable: bool = True) -> None:
        names = [event.client_order_id for event in events if isinstance(event, e.OrderInitialized)]
        if names:
            appends.append(names)
        if names == ["o0"]:
            entered.set()
            assert goes_on.wait(PATIENCE_S)
        append(self, events, durable=durable)

    monkeypatch.setattr(Journal, "append", noted)
    waiting = account._prepare._waiting
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(account.submit, [buy(0)])
        assert entered.wait(PATIENCE_S)
        others = [pool.submit(account.submit, [buy(n)]) for n in range(1, 6)]
        until(lambda: len(waiting) == 5)
        goes_on.set()
        reports = [first.result(), *(other.result() for other in others)]
    assert appends[0] == ["o0"]
    assert sorted(appends[1]) == [f"o{n}" for n in range(1, 6)]
    assert len(appends) == 2
    assert all(found[0].status is OrderStatus.ACCEPTED for found in reports)


def until(is_so: Callable[[], bool]) -> None:
    """Wait for another thread."""
    deadline = threading.Event()
    for _ in range(int(PATIENCE_S / 0.002)):
        if is_so():
            return
        deadline.wait(0.002)
    pytest.fail("the other thread did not come that far")


def test_a_cancel_passes_while_another_order_waits_for_the_venue(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    account.submit([buy(1)])
    venue.hold("o2")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(account.submit, [buy(2)])
        venue.wait_until_reached("o2")
        assert account.cancel("o1").status is OrderStatus.CANCELED
        assert account.submit([buy(3)])[0].status is OrderStatus.ACCEPTED
        assert account.report("o2").status is OrderStatus.SUBMITTED
        venue.let_go("o2")
        assert slow.result()[0].status is OrderStatus.ACCEPTED


def test_a_cancel_of_an_order_in_flight_waits_for_the_venues_answer(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    venue.hold("o1")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(account.submit, [buy(1)])
        venue.wait_until_reached("o1")
        cancel = pool.submit(account.cancel, "o1")
        venue.let_go("o1")
        assert slow.result()[0].status in (OrderStatus.ACCEPTED, OrderStatus.CANCELED)
        assert cancel.result().status is OrderStatus.CANCELED


def test_an_order_in_flight_is_neither_asked_for_nor_sent_again_by_the_watcher(
    open_live: Open, venue: WaitingVenue
) -> None:
    account = open_live()
    venue.hold("o1")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(account.submit, [buy(1, 2)])
        venue.wait_until_reached("o1")
        venue.execute("o1", 1)
        account.sync()
        account.hear()
        assert venue.asked == []
        assert account.report("o1").filled_quantity == 0
        venue.let_go("o1")
        assert slow.result()[0].venue_order_id == "v-o1"
    account.hear()
    assert venue.sent == ["o1"]
    assert account.report("o1").filled_quantity == 1


def test_the_same_order_of_two_callers_is_sent_once_and_both_hear_of_it(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    venue.hold("o1")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(account.submit, [buy(1)])
        venue.wait_until_reached("o1")
        second = pool.submit(account.submit, [buy(1)])
        venue.let_go("o1")
        assert [first.result()[0].status, second.result()[0].status] == [OrderStatus.ACCEPTED] * 2
    assert venue.sent == ["o1"]


def test_one_caller_does_not_answer_for_what_another_one_sends(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    good, bad = buy(1), buy(2, strategy="\ud800")
    account._changed.acquire()
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(account.submit, [request]) for request in (good, bad)]
        until(lambda: len(account._prepare._waiting) == 2)
        account._changed.release()
        assert found[0].result()[0].status is OrderStatus.ACCEPTED
        with pytest.raises(TradingError, match="no text"):
            found[1].result()
    assert venue.sent == ["o1"]
    assert account.find("o2") is None


def test_pushed_executions_count_once_however_often_and_in_whatever_order_they_come(
    open_live: Open, venue: WaitingVenue
) -> None:
    account = open_live()
    account.submit([buy(1, 5), buy(2, 3)])
    updates = [venue.execute("o1", n, push=False) for n in (1, 3)] + [venue.execute("o2", 3, push=False)]
    venue.pushes = [updates[2], updates[1], updates[2], updates[0], updates[1]]
    assert account.hear()
    assert not account.hear()
    account.sync()
    assert [account.report(name).filled_quantity for name in ("o1", "o2")] == [4, 3]
    assert account.positions() == {"KO": 7}
    assert len(account.fills()) == 3


def test_a_lost_push_is_found_by_the_next_inquiry(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    account.submit([buy(1, 5)])
    venue.execute("o1", 5, push=False)
    assert not account.hear()
    account.sync()
    assert account.report("o1").status is OrderStatus.FILLED


def test_a_pushed_end_before_its_execution_leaves_room_for_the_late_execution(
    open_live: Open, venue: WaitingVenue
) -> None:
    account = open_live()
    account.submit([buy(1, 5)])
    update = venue.execute("o1", 2, push=False)
    venue.end("o1", OrderStatus.CANCELED)
    venue.pushes = [VenueUpdate(venue.book["o1"]), update]
    account.hear()
    assert account.report("o1").status is OrderStatus.CANCELED
    assert account.report("o1").filled_quantity == 2


def test_a_push_about_an_order_in_doubt_says_that_it_arrived(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    venue.hold("o1")
    venue._gates["o1"].set()
    real = venue.submit_order

    def breaks(request: OrderRequest) -> VenueOrder:
        real(request)
        raise AmbiguousError("no answer")

    venue.submit_order = breaks  # type: ignore[method-assign]
    assert account.submit([buy(1, 5)])[0].status is OrderStatus.SUBMITTED
    venue.execute("o1", 2)
    account.hear()
    told = account.report("o1")
    assert (told.status, told.venue_order_id, told.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, "v-o1", 2)


def test_a_halt_stops_what_is_in_flight_and_what_has_not_left_yet(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    account.submit([buy(0)])
    venue.hold("o1")
    with ThreadPoolExecutor(2) as pool:
        batch = pool.submit(account.submit, [buy(1), buy(2)])
        venue.wait_until_reached("o1")
        halted = pool.submit(account.halt, "account", "ann", "drill")
        until(lambda: bool(account.state().halts))
        venue.let_go("o1")
        told = batch.result()
        halted.result()
    account.hear()
    assert venue.sent == ["o0", "o1"]
    # It goes nowhere else, as one that the gate denies.
    assert (told[1].status, told[1].not_sent) == (OrderStatus.REJECTED, False)
    assert [account.report(f"o{n}").status for n in (0, 1)] == [OrderStatus.CANCELED] * 2


def test_without_fresh_prices_only_reductions_pass(open_live: Open, venue: WaitingVenue, times: Times) -> None:
    account = open_live(limits=replace(LIMITS, max_reference_age_s=10))
    account.submit([buy(1, 5)])
    venue.execute("o1", 5)
    account.hear()
    times.now += timedelta(seconds=11)
    venue.marks = {}
    account.sync()
    sell = OrderRequest("s1", "KO", Side.SELL, Decimal(5), "test", OrderType.LIMIT, Decimal(60))
    reports = account.submit([buy(2), sell])
    assert (reports[0].rule, reports[1].status) == ("stale_reference", OrderStatus.ACCEPTED)


def test_a_price_is_as_old_as_its_trade_however_often_it_is_asked_for(
    open_live: Open, venue: WaitingVenue, times: Times
) -> None:
    account = open_live(limits=replace(LIMITS, max_reference_age_s=10))
    account.submit([buy(1, 5)])
    venue.execute("o1", 5)
    times.now += timedelta(seconds=11)
    account.sync()
    account.sync()
    sell = OrderRequest("s1", "KO", Side.SELL, Decimal(5), "test", OrderType.LIMIT, Decimal(60))
    reports = account.submit([buy(2), sell])
    assert (reports[0].rule, reports[1].status) == ("stale_reference", OrderStatus.ACCEPTED)
    assert "is of age 11 s" in reports[0].reason
    venue.quoted_at = times.now - timedelta(seconds=10)
    account.sync()
    venue.quoted_at -= timedelta(seconds=30)
    account.sync()
    assert account.submit([buy(3)])[0].status is OrderStatus.ACCEPTED
    venue.quoted_at = times.now + timedelta(days=1)
    account.sync()
    times.now += timedelta(seconds=11)
    assert account.submit([buy(4)])[0].rule == "stale_reference"


def test_orders_pass_while_a_snapshot_is_written(
    open_live: Open, venue: WaitingVenue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nt_ray.trader.checkpoint.EVERY", 5)
    entered, goes_on = threading.Event(), threading.Event()
    write = SqliteJournal.write_snapshot

    def slow(self: SqliteJournal, state: str, place: Any = None) -> None:
        entered.set()
        assert goes_on.wait(PATIENCE_S)
        write(self, state, place)

    monkeypatch.setattr(SqliteJournal, "write_snapshot", slow)
    account = open_live()
    account.submit([buy(1), buy(2)])
    account.sync()
    assert entered.wait(PATIENCE_S)
    assert account.submit([buy(3)])[0].status is OrderStatus.ACCEPTED
    venue.execute("o3", 1)
    assert account.hear()
    account.sync()
    assert account.cancel("o1").status is OrderStatus.CANCELED
    goes_on.set()
    account.close()
    with opened(tmp_path / "journal.sqlite") as journal:
        kept = journal.snapshot()
        assert kept is not None
        assert 0 < kept.seq < journal.head.seq
        again = Books()
        for entry in journal.read():
            again.apply(entry.event)
    assert snapshot(folded(tmp_path / "journal.sqlite")) == snapshot(again)


def test_a_snapshot_that_cannot_be_written_stops_nobody(
    open_live: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("nt_ray.trader.checkpoint.EVERY", 5)

    def full(*_: object) -> None:
        raise StorageError("The disk is full. Free it.")

    monkeypatch.setattr(SqliteJournal, "write_snapshot", full)
    account = open_live()
    account.submit([buy(1), buy(2)])
    account.sync()
    assert account.submit([buy(3)])[0].status is OrderStatus.ACCEPTED
    account.close()
    assert "The disk is full" in caplog.text


def test_a_venue_that_does_not_answer_is_told_and_asked_again_after_growing_pauses(
    open_live: Open, venue: WaitingVenue
) -> None:
    venue.down = True
    account = open_live()
    assert (account.reach(), account.health().failures) == (False, 1)
    with pytest.raises(VenueDownError):
        account.sync()
    told = account.submit([buy(1)])[0]
    assert told.status is OrderStatus.DENIED
    venue.down = False
    account.sync()
    assert account.submit([buy(2)])[0].status is OrderStatus.ACCEPTED


def test_an_order_that_was_certainly_not_sent_says_so(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    venue.down = True
    told = account.submit([buy(1)])[0]
    assert (told.status, told.not_sent) == (OrderStatus.REJECTED, True)


def test_a_second_copy_takes_over_and_the_first_can_neither_write_nor_send(
    open_live: Open, venue: WaitingVenue, times: Times, tmp_path: Path
) -> None:
    first = open_live()
    first.submit([buy(1)])
    second = open_live()
    assert second.report("o1").status is OrderStatus.ACCEPTED
    with pytest.raises(FencedError):
        first.submit([buy(2)])
    assert second.submit([buy(3)])[0].status is OrderStatus.ACCEPTED
    assert venue.sent == ["o1", "o3"]
    times.now += timedelta(seconds=1)
    first._watcher._due = 0.0
    first._watcher.step()
    assert (first.reach(), second.reach()) == (False, True)
    assert set(folded(tmp_path / "journal.sqlite").orders) == {"o1", "o3"}


def test_a_reconciliation_waits_for_orders_in_flight(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    venue.hold("o1")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(account.submit, [buy(1)])
        venue.wait_until_reached("o1")
        comparison = pool.submit(account.reconcile)
        venue.let_go("o1")
        assert slow.result()[0].status is OrderStatus.ACCEPTED
        assert comparison.result().agrees


def test_a_replacement_takes_the_place_of_an_open_order(open_live: Open, venue: WaitingVenue) -> None:
    account = open_live()
    account.submit([buy(1, 5)])
    told = account.replace(buy(2, 7, replaces="o1", limit_price=Decimal(41)))
    assert told.status is OrderStatus.ACCEPTED
    assert account.report("o1").status is OrderStatus.REPLACED
    with pytest.raises(BadInputError, match="replaces nothing"):
        account.replace(buy(3))


def test_bookings_without_an_order_go_through_the_one_writer(
    open_live: Open, venue: WaitingVenue, times: Times
) -> None:
    account = open_live()
    account.act(a.DividendPaid(times.now, "div", "KO", Decimal(5)))
    assert account.sync().cash == 1_000_005
    account.submit([buy(1, 5)])
    venue.execute("o1", 5)
    account.hear()
    with pytest.raises(BadInputError, match="closes lots by average"):
        account.name_lots("o2", "KO", [lot.lot_id for lot in account.lots("KO")])
    venue.submit_order(buy(2, 3))
    venue.execute("o2", 3, push=False)
    assert {d.kind for d in account.reconcile().differences} >= {"execution", "position"}
    assert account.adopt("ann", "traded by hand").agrees
    assert account.positions() == {"KO": Decimal(8)}
    assert open_live().positions() == {"KO": Decimal(8)}


def test_what_is_disputed_is_in_the_status_and_does_not_hold_up_what_is_pushed_next(
    open_live: Open, venue: WaitingVenue
) -> None:
    account = open_live()
    account.submit([buy(1, 5), buy(2, 5)])
    venue.pushes.append(VenueUpdate(venue.book["o1"], replace(venue.execute("o1", 5, push=False).fill, symbol="PEP")))
    venue.execute("o2", 5)
    account.hear()
    assert account.order("o2").status is OrderStatus.FILLED
    (warning,) = account.status().warnings
    assert "does not belong to order o1" in warning
    assert account.state().halts.keys() == {"symbol:KO"}


def test_an_unknown_order_cannot_be_cancelled(open_live: Open) -> None:
    with pytest.raises(UnknownOrderError):
        open_live().cancel("nobody")


def test_a_report_travels_between_processes(open_live: Open) -> None:
    told = open_live().submit([buy(1)])
    assert pickle.loads(pickle.dumps(told)) == told


def test_switches_and_limits_hold_for_every_caller_and_survive_in_the_journal(open_live: Open, times: Times) -> None:
    account = open_live()
    account.halt(["strategy:test", "symbol:PEP"], "ann", "drill")
    assert account.submit([buy(1)])[0].rule == "kill_switch"
    account.resume("strategy:test", "ann", "over")
    account.change_limits({"max_order_quantity": 3}, "ann", "careful")
    assert account.submit([buy(2, 4)])[0].rule == "order_quantity"
    assert open_live().limits().max_order_quantity == 3
    again = open_live()
    again.revert_limits([], "ann", "over")
    assert again.submit([buy(3, 4)])[0].status is OrderStatus.ACCEPTED
    again.reset("ann", "nothing to reset")
    assert again.state().halts == {"symbol:PEP": "ann: drill"}
    assert [told.status for told in again.cancel_all()] == [OrderStatus.CANCELED]
    assert (again.name, again.submit([])) == ("live", [])


def test_what_breaks_while_prices_are_read_leaves_no_order_waiting(
    open_live: Open, venue: WaitingVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = open_live()
    monkeypatch.setattr(venue, "submit_order", lambda _: (_ for _ in ()).throw(AmbiguousError("no answer")))
    account.submit([buy(1)])
    monkeypatch.setattr(account, "_prices", lambda: {}["KO"])
    with pytest.raises(KeyError):
        account.sync()
    assert not account._account.in_flight
