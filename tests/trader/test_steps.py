"""An order's steps through a live account: the venue's time is the venue's, and the reports are those of `submit`."""

import logging
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from nt_ray.errors import BadInputError
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side
from nt_ray.trading.origin import Origin, origin

HELD_S = 0.05
TRACED = Origin("r-1", "ab" * 16, "cd" * 8)


def buy(name: str, symbol: str = "KO") -> OrderRequest:
    return OrderRequest(name, symbol, Side.BUY, Decimal(1), "test", OrderType.LIMIT, Decimal(40))


def test_the_time_in_which_the_venue_is_silent_belongs_to_the_step_of_the_broker(
    open_live: Callable[..., LiveAccount], venue: Any
) -> None:
    account = open_live()
    venue.hold("o1")
    let_go = threading.Timer(HELD_S, venue.let_go, ("o1",))
    before = time.time_ns()
    let_go.start()
    (told,), steps = account.order_within(TRACED, "submit", [buy("o1")])
    after = time.time_ns()
    let_go.join()
    assert told.status is OrderStatus.ACCEPTED
    way = [(step.name, steps[step.within].name if step.within >= 0 else "") for step in steps]
    assert way == [
        ("check_risk_limits", ""), ("gate", "check_risk_limits"), ("journal", "check_risk_limits"),
        ("submit_to_broker", ""), ("send", "submit_to_broker"), ("update_portfolio", ""),
    ]  # fmt: skip
    outer = [step for step in steps if step.within < 0]
    edges = [edge for step in outer for edge in (step.start_ns, step.end_ns)]
    assert [before, *edges, after] == sorted([before, *edges, after])
    assert max(outer, key=lambda step: step.end_ns - step.start_ns).name == "submit_to_broker"
    assert all(
        steps[s.within].start_ns <= s.start_ns <= s.end_ns <= steps[s.within].end_ns for s in steps if s.within >= 0
    )
    assert steps[4].facts == {"order_id": "o1", "orders": 1}
    assert account.order_within(TRACED, "submit", []) == ([], ())


def test_an_untraced_request_has_no_steps_and_what_reads_is_no_call_for_a_request(
    open_live: Callable[..., LiveAccount], venue: Any
) -> None:
    account = open_live()
    (told,), steps = account.within(Origin("r-1"), "submit", [buy("o1")])
    assert (told.status, steps) == (OrderStatus.ACCEPTED, ())
    with pytest.raises(BadInputError, match="close"):
        account.within(TRACED, "close")


def test_each_order_and_change_has_a_line_with_its_ids(
    open_live: Callable[..., LiveAccount], venue: Any, caplog: pytest.LogCaptureFixture
) -> None:
    account = open_live()
    seen: list[tuple[str, dict[str, str]]] = []

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage(), origin().ids() | {"order_id": getattr(record, "order_id", "")}))

    reader = Reader()
    log = logging.getLogger("nt_ray.trader.called")
    log.addHandler(reader)
    try:
        with caplog.at_level(logging.INFO, "nt_ray.trader.called"):
            account.within(TRACED, "submit", [buy("o1"), OrderRequest("o2", "KO", Side.BUY, Decimal("1e9"), "test")])
            account.within(Origin("r-2"), "cancel", "o1")
    finally:
        log.removeHandler(reader)
    ids = {"request_id": "r-1", "trace_id": "ab" * 16, "span_id": "cd" * 8}
    assert seen == [
        ("Order o1 is accepted.", ids | {"order_id": "o1"}),
        ("Order o2 is denied.", ids | {"order_id": "o2"}),
        ("cancel was done.", {"request_id": "r-2", "order_id": "o1"}),
    ]
    assert origin().ids() == {}


def test_the_tally_of_an_account_counts_what_its_strategies_traded(
    open_live: Callable[..., LiveAccount], venue: Any
) -> None:
    account = open_live()
    request = OrderRequest("o1", "KO", Side.BUY, Decimal(4), "test", OrderType.LIMIT, Decimal(40))
    account.submit([request, OrderRequest("o2", "KO", Side.BUY, Decimal("1e9"), "test")])
    assert account.tally().traded == ()
    venue.execute("o1", 4)
    account.hear()
    found = account.tally()
    (line,) = found.traded
    assert (line.strategy, line.symbol, line.executions, line.quantity) == ("test", "KO", 1, 4)
    assert found.orders == {"filled": 1, "denied": 1}
    assert found.state.positions == {"KO": Decimal(4)}


def test_an_order_that_is_placed_is_shown_by_the_same_call(
    open_live: Callable[..., LiveAccount], venue: Any, caplog: pytest.LogCaptureFixture
) -> None:
    account = open_live()
    with caplog.at_level(logging.INFO, "nt_ray.trader.called"):
        (reports, family), steps = account.order_within(TRACED, "place", [buy("o1"), buy("o2")])
    assert reports == [account.report("o1"), account.report("o2")]
    assert family == account.look_up("o1")
    assert steps[-1].name == "update_portfolio"
    assert [record.getMessage() for record in caplog.records] == ["Order o1 is accepted.", "Order o2 is accepted."]
    assert account.place([]) == ([], None)
