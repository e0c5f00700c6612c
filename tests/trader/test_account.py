from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from nt_ray.brokers.base import (
    AmbiguousError,
    NotSentError,
    OrderRejectedError,
    VenueDownError,
)
from nt_ray.errors import BadInputError, FencedError, TradingError
from nt_ray.risk.limits import RiskLimits
from nt_ray.trader.account import Account
from nt_ray.trader.books import UnknownOrderError
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side, TimeInForce

MORNING = datetime(2026, 1, 5, 15, tzinfo=UTC)
MARKS = {"KO": Decimal(50), "PEP": Decimal(100)}
LIMITS = RiskLimits()
Desk: TypeAlias = Any


def buy(number: int, quantity: int = 10, **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"symbol": "KO", "side": Side.BUY, "strategy": "momentum"}
    return OrderRequest(f"o.{number}", quantity=Decimal(quantity), **(values | changes))


def test_capital_is_paid_in_once(desk: Desk) -> None:
    account = desk.open()
    account.deposit(Decimal(100_000))
    assert desk.open().state().cash == Decimal(100_000)
    again = desk.opened[-1]
    with pytest.raises(TradingError, match="cannot become 5"):
        again.deposit(Decimal(5))
    again.deposit(Decimal(5), "second")
    assert again.state().capital == Decimal(100_005)
    for amount in (Decimal(0), Decimal("NaN")):
        with pytest.raises(BadInputError):
            again.deposit(amount, "third")


def test_an_order_fills_and_the_books_follow(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    report = account.submit([buy(1)])[0]
    assert (report.status, report.venue_order_id) == (OrderStatus.ACCEPTED, "v-o.1")
    assert account.state().open_orders == 1
    desk.venue.fill("o.1", 10, 51)
    state = account.sync(MORNING + timedelta(hours=1), {"KO": Decimal(53)})
    assert state.positions == {"KO": Decimal(10)}
    assert state.cash == Decimal(100_000 - 510 - 1)
    assert state.equity == state.cash + 530
    assert [f.execution_id for f in state.fills] == ["x0"]
    assert (state.open_orders, state.order_count, state.fill_count) == (0, 1, 1)
    assert account._books.exposure.used == account._books.exposure.gross == 530
    assert sum(account.balances().values()) == 0
    assert account.sync(MORNING + timedelta(hours=2), {}).fills == ()


def test_a_request_that_is_known_is_never_sent_again(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    first = account.submit([buy(1)])
    assert account.submit([buy(1)]) == first
    assert account.submit([buy(2), buy(2)])[1].status is OrderStatus.ACCEPTED
    assert desk.open().submit([buy(1)]) == first
    assert desk.venue.sent == ["o.1", "o.2"]


def test_another_request_under_a_taken_id_is_denied_and_counted(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    first, second = account.submit([buy(1), buy(1, 11)])
    assert first.status is OrderStatus.ACCEPTED
    assert (second.status, second.rule) == (OrderStatus.DENIED, "duplicate")
    assert account.submit([buy(1, 12)])[0].rule == "duplicate"
    assert desk.venue.sent == ["o.1"]
    assert account.order("o.1").request == buy(1)
    assert desk.open().state().denials == {"duplicate": 2}


def test_orders_of_one_batch_count_for_each_other(desk: Desk) -> None:
    account = desk.open(RiskLimits(self_trade=False), MARKS)
    reports = account.submit([buy(1, 400), buy(2, 100), buy(3, 1), buy(4, 100, side=Side.SELL)])
    assert [r.rule for r in reports] == ["", "", "concentration", ""]
    assert account.submit([buy(5, 1)])[0].rule == "concentration"


def test_equal_orders_of_one_batch_fall_into_the_duplicate_window(desk: Desk) -> None:
    account = desk.open(RiskLimits(duplicate_window_s=60), MARKS)
    assert [r.rule for r in account.submit([buy(1), buy(2)])] == ["", "duplicate_content"]
    desk.now += timedelta(seconds=59)
    assert desk.open(RiskLimits(duplicate_window_s=60)).submit([buy(3)])[0].rule == "duplicate_content"
    desk.now += timedelta(seconds=1)
    assert desk.opened[-1].submit([buy(4)])[0].status is OrderStatus.ACCEPTED


def test_exposure_of_open_orders_is_released_when_they_end(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    account.submit([buy(1, 500)])
    assert account.submit([buy(2, 1)])[0].rule == "concentration"
    desk.venue.end("o.1", OrderStatus.EXPIRED)
    account.sync(MORNING + timedelta(hours=1), {})
    assert account.order("o.1").status is OrderStatus.EXPIRED
    assert account.submit([buy(3, 500)])[0].status is OrderStatus.ACCEPTED


def test_what_the_venue_cannot_do_is_denied_before_it_is_sent(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    report = account.submit([buy(1, time_in_force=TimeInForce.GTC)])[0]
    assert (report.status, report.rule) == (OrderStatus.DENIED, "capability")
    assert desk.venue.sent == []


def test_before_the_first_mark_everything_is_denied(desk: Desk) -> None:
    assert desk.open().submit([buy(1)])[0].rule == "reference_price"


def test_a_price_that_goes_missing_closes_the_symbol_and_keeps_its_value(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    account.submit([buy(1)])
    desk.venue.fill("o.1", 10)
    state = account.sync(MORNING + timedelta(hours=1), {"KO": Decimal("NaN")})
    assert state.equity == Decimal(100_000 - 1)
    assert account.submit([buy(2)])[0].rule == "reference_price"
    assert account.submit([buy(3, symbol="PEP")])[0].status is OrderStatus.ACCEPTED


@pytest.mark.parametrize(
    ("error", "not_sent"),
    [(OrderRejectedError("no"), False), (NotSentError("no"), True), (VenueDownError("no"), True)],
)
def test_a_refusal_is_final_and_says_whether_the_order_may_go_elsewhere(
    desk: Desk, error: Exception, not_sent: bool
) -> None:
    account = desk.open(marks=MARKS)
    desk.venue.before = [error]
    report = account.submit([buy(1)])[0]
    assert (report.status, report.not_sent, report.reason) == (OrderStatus.REJECTED, not_sent, "no")
    assert account.submit([buy(1)]) == [report] == desk.open().submit([buy(1)])
    assert desk.venue.sent == ["o.1"]
    assert desk.open().state().open_orders == 0


def test_an_order_in_doubt_that_arrived_is_found(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    desk.venue.after = [AmbiguousError("timeout")]
    report = account.submit([buy(1, 500)])[0]
    assert (report.status, report.not_sent) == (OrderStatus.SUBMITTED, False)
    assert account.submit([buy(2, 1)])[0].rule == "concentration"
    desk.venue.fill("o.1", 500)
    state = account.sync(MORNING + timedelta(hours=1), MARKS)
    assert state.positions == {"KO": Decimal(500)}
    assert desk.venue.sent == ["o.1"]


def test_an_order_in_doubt_that_never_arrived_is_sent_under_the_same_id(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    desk.venue.before = [AmbiguousError("timeout")]
    account.submit([buy(1)])
    assert desk.open().order("o.1").status is OrderStatus.ACCEPTED
    assert desk.venue.sent == ["o.1", "o.1"]


def test_without_proof_of_absence_an_order_stays_in_doubt_and_holds_exposure(desk: Desk) -> None:
    desk.venue.proves_absence = False
    account = desk.open(marks=MARKS)
    desk.venue.before = [AmbiguousError("timeout")]
    account.submit([buy(1, 500)])
    again = desk.open()
    again.sync(MORNING + timedelta(hours=1), MARKS)
    assert again.order("o.1").status is OrderStatus.SUBMITTED
    assert again.submit([buy(2, 1)])[0].rule == "concentration"
    assert desk.venue.sent == ["o.1"]


def test_while_the_venue_is_away_doubts_stay_and_marks_go_on(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    desk.venue.after = [AmbiguousError("timeout")]
    account.submit([buy(1)])
    desk.venue.down = True
    again = desk.open()
    assert again.sync(MORNING + timedelta(hours=1), MARKS).open_orders == 1
    assert again.submit([buy(2)])[0].not_sent
    desk.venue.down = False
    again.sync(MORNING + timedelta(hours=2), MARKS)
    assert again.order("o.1").status is OrderStatus.ACCEPTED


def test_a_writer_that_was_replaced_sends_nothing_more(desk: Desk) -> None:
    old = desk.open(marks=MARKS)
    desk.venue.before = [AmbiguousError("timeout")]
    desk.venue.proves_absence = False
    old.submit([buy(1)])
    new = desk.open()
    desk.venue.proves_absence = True
    calls: list[Callable[[], Any]] = [
        lambda: old.submit([buy(2)]),
        lambda: old.sync(MORNING + timedelta(hours=1), MARKS),
        lambda: old.cancel("o.1"),
        lambda: old.deposit(Decimal(1), "more"),
    ]
    for call in calls:
        with pytest.raises(FencedError):
            call()
    assert desk.venue.sent == ["o.1"]
    assert desk.venue.cancels == []
    assert new.submit([buy(2)])[0].status is OrderStatus.ACCEPTED


def test_a_failed_append_leaves_no_reservation(desk: Desk) -> None:
    old = desk.open(marks=MARKS)
    desk.open()
    before = old._books.exposure.gross
    with pytest.raises(FencedError):
        old.submit([buy(1, 400), buy(2, 50)])
    assert old._books.exposure.gross == before
    assert old.state().order_count == 0


def test_a_cancel_ends_an_order_and_can_be_repeated(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    account.submit([buy(1), buy(2)])
    assert account.cancel("o.1").status is OrderStatus.CANCELED
    assert account.cancel("o.1").status is OrderStatus.CANCELED
    assert [r.status for r in account.cancel_all()] == [OrderStatus.CANCELED]
    assert desk.venue.cancels == ["o.1", "o.2"]
    assert desk.open().state().open_orders == 0
    with pytest.raises(UnknownOrderError, match=r"no order 'o\.9'"):
        account.cancel("o.9")


def test_a_cancel_the_venue_refuses_leaves_the_order_working(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    account.submit([buy(1)])
    desk.venue.cancel_error = OrderRejectedError("too late")
    assert account.cancel("o.1").status is OrderStatus.ACCEPTED
    desk.venue.fill("o.1", 10)
    assert account.sync(MORNING + timedelta(hours=1), MARKS).fill_count == 1


def test_a_cancel_in_doubt_is_asked_again(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    account.submit([buy(1)])
    desk.venue.cancel_error = AmbiguousError("timeout")
    assert account.cancel("o.1").status is OrderStatus.PENDING_CANCEL
    desk.venue.cancel_error = None
    assert desk.open().order("o.1").status is OrderStatus.CANCELED


def test_a_fill_that_comes_after_the_cancel_is_booked(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    account.submit([buy(1)])
    account.cancel("o.1")
    desk.venue.fill("o.1", 4)
    state = account.sync(MORNING + timedelta(hours=1), MARKS)
    assert state.positions == {"KO": Decimal(4)}
    assert account.order("o.1").status is OrderStatus.CANCELED
    assert account._books.exposure.gross == 200


def test_an_execution_of_an_order_that_is_not_ours_changes_nothing(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    account.submit([buy(1)])
    desk.venue.fill("o.1", 1, client_order_id="o.7")
    desk.venue.fill("o.1", 2)
    state = account.sync(MORNING + timedelta(hours=1), MARKS)
    assert (state.positions, state.fill_count) == ({"KO": Decimal(2)}, 1)


@pytest.mark.parametrize("scope", ["account", "strategy:momentum", "symbol:KO"])
def test_a_kill_switch_survives_a_restart_until_it_is_cleared(desk: Desk, scope: str) -> None:
    account = desk.open(marks=MARKS)
    account.halt(scope, "ann", "drill")
    assert account.submit([buy(1)])[0].rule == "kill_switch"
    again = desk.open()
    assert again.state().halts == {scope: "ann: drill"}
    assert again.submit([buy(2)])[0].rule == "kill_switch"
    again.resume(scope, "ann", "over")
    assert again.submit([buy(3)])[0].status is OrderStatus.ACCEPTED


@pytest.mark.parametrize("scope", ["", "everything", "strategy:", "symbol"])
def test_an_unknown_scope_is_refused(desk: Desk, scope: str) -> None:
    with pytest.raises(BadInputError, match="Scope"):
        desk.open().halt(scope, "ann", "drill")


def test_who_and_why_are_required(desk: Desk) -> None:
    account = desk.open()
    for call in (lambda: account.halt("account", "", "x"), lambda: account.reset("ann", " ")):
        with pytest.raises(BadInputError, match="Give a name and a reason"):
            call()


def losing(desk: Desk, limits: RiskLimits, price: int) -> Account:
    account = desk.open(limits, MARKS)
    account.submit([buy(1, 400)])
    desk.venue.fill("o.1", 400)
    account.sync(MORNING + timedelta(hours=1), {"KO": Decimal(price)})
    return account


def test_a_daily_loss_stops_opening_until_the_next_utc_day(desk: Desk) -> None:
    limits = RiskLimits(max_daily_loss=0.05)
    assert losing(desk, limits, 37).state().breaker == ("daily_loss",)
    again = desk.open(limits)
    opens, reduces = again.submit([buy(2, 1), buy(3, 400, side=Side.SELL)])
    assert (opens.status, opens.rule) == (OrderStatus.DENIED, "daily_loss")
    assert reduces.status is OrderStatus.ACCEPTED
    evening = again.sync(MORNING.replace(hour=23, minute=59), {})
    assert evening.breaker == ("daily_loss",)
    state = again.sync(datetime(2026, 1, 6, tzinfo=UTC), {})
    assert (state.breaker, state.day_start_equity) == ((), Decimal(100_000 - 400 * 13 - 1))


def test_a_drawdown_stays_tripped_until_a_person_resets_it(desk: Desk) -> None:
    limits = RiskLimits(max_drawdown=0.05, max_daily_loss=1.0)
    losing(desk, limits, 37)
    again = desk.open(limits)
    again.sync(MORNING + timedelta(days=3), {"KO": Decimal(60)})
    assert again.state().breaker == ("drawdown",)
    again.reset("ann", "reviewed")
    third = desk.open(limits)
    assert third.state().breaker == ()
    assert third.sync(MORNING + timedelta(days=4), {"KO": Decimal(59)}).breaker == ()


def test_a_replayed_time_brings_no_old_prices(desk: Desk) -> None:
    account = desk.open(marks=MARKS)
    later = account.sync(MORNING + timedelta(days=1), {"KO": Decimal(70)})
    assert account.sync(MORNING, MARKS) == later
    entries = len(list(account._journal.read()))
    assert account.sync(MORNING + timedelta(days=1), {"KO": Decimal(70)}) == later
    assert len(list(account._journal.read())) == entries


def test_an_account_opened_again_is_the_same_account(desk: Desk) -> None:
    account = losing(desk, LIMITS, 49)
    account.submit([buy(2, 5, side=Side.SELL), buy(3, 10**6)])
    again = desk.open()
    assert again.state() == account.state()
    assert again.orders() == account.orders()
    assert again.fills() == account.fills()
    assert again.balances() == account.balances()
    mine, theirs = again._books.exposure, account._books.exposure
    assert (mine.gross, mine.longest, mine.shortest, mine.used) == (
        theirs.gross,
        theirs.longest,
        theirs.shortest,
        theirs.used,
    )
