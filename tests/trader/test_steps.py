"""An order's steps through a live account: the venue's time is the venue's, and the reports are those of `submit`."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.steps import ORDER_STEPS
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side

HELD_S = 0.05


def test_the_time_in_which_the_venue_is_silent_belongs_to_the_step_of_the_broker(
    open_live: Callable[..., LiveAccount], venue: Any
) -> None:
    account = open_live()
    request = OrderRequest("o1", "KO", Side.BUY, Decimal(1), "test", OrderType.LIMIT, Decimal(40))
    venue.hold("o1")
    let_go = threading.Timer(HELD_S, venue.let_go, ("o1",))
    before = time.time_ns()
    let_go.start()
    (told,), steps = account.submit_timed([request])
    after = time.time_ns()
    let_go.join()
    assert told.status is OrderStatus.ACCEPTED
    assert tuple(step.name for step in steps) == ORDER_STEPS
    assert before <= steps[0].start_ns <= steps[0].end_ns == steps[1].start_ns <= steps[1].end_ns == steps[2].start_ns
    assert steps[2].end_ns <= after
    assert max(steps, key=lambda step: step.end_ns - step.start_ns).name == "submit_to_broker"
    assert account.submit_timed([]) == ([], ())


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
