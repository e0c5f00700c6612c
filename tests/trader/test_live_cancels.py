"""Several cancels of a live account: what is confirmed, what is asked for again, and orders that land meanwhile."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

from nt_ray.trader.live_account import LiveAccount
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side

Open = Callable[..., LiveAccount]
WaitingVenue: TypeAlias = Any


def buy(number: int) -> OrderRequest:
    return OrderRequest(f"o{number}", "KO", Side.BUY, Decimal(1), "test", OrderType.LIMIT, Decimal(40))


def test_the_status_counts_cancels_that_nobody_has_confirmed_and_tells_what_the_venue_warns_of(
    venue: WaitingVenue, open_live: Open
) -> None:
    account = open_live()
    account.submit([buy(1), buy(2), buy(3)])
    told = account.status()
    assert (told.open_orders, told.cancelling, told.warnings) == (3, 0, ())
    venue.down = True
    assert {report.status for report in account.cancel_all()} == {OrderStatus.PENDING_CANCEL}
    assert (account.status().open_orders, account.status().cancelling) == (3, 3)
    venue.down = False
    venue.warnings = lambda: ("The stream broke.",)  # type: ignore[method-assign]
    account.sync()
    told = account.status()
    assert (told.open_orders, told.cancelling, told.warnings) == (0, 0, ("The stream broke.",))


def test_a_kill_switch_cancels_what_lands_after_it(venue: WaitingVenue, open_live: Open) -> None:
    account = open_live()
    account.submit([buy(1), buy(2)])
    venue.hold("o3")
    sending = threading.Thread(target=lambda: account.submit([buy(3)]))
    sending.start()
    venue.wait_until_reached("o3")
    stopping = threading.Thread(target=lambda: account.halt("account", "ann", "drill"))
    stopping.start()
    # What rests is cancelled while one order waits for the venue's answer, and that one after it.
    while any(venue.book[name].status.is_open for name in ("o1", "o2")):
        pass
    assert venue.book["o3"].status.is_open
    venue.let_go("o3")
    for thread in (sending, stopping):
        thread.join()
    account.sync()
    assert [order.status for order in account.orders()] == [OrderStatus.CANCELED] * 3
