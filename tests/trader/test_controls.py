from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import BadInputError, RiskError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.risk.breaker import BreakerState
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account, AccountState
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

DAY = 86_400_000_000_000
FREE = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
ME = ("Ann", "drill")
WIDE = RiskLimits(max_concentration=1, max_daily_loss=0.1, max_drawdown=0.5, price_collar=100)


def panel(closes: list[float]) -> BarPanel:
    """KO and PEP at the same prices; each bar opens where the one before closed."""
    opens = [closes[0], *closes[:-1]]
    bars = [[o, max(o, c), min(o, c), c, 1e6] for o, c in zip(opens, closes, strict=True)]
    values = np.ascontiguousarray(np.array([bars, bars]).transpose(1, 0, 2))
    instruments = (Instrument("KO", Decimal("0.01")), Instrument("PEP", Decimal("0.01")))
    return BarPanel(instruments, np.arange(1, len(closes) + 1, dtype=np.int64) * DAY, values)


class Room:
    """An account at a simulated venue, moved bar by bar; `reopen` is what a restart does."""

    def __init__(self, folder: Path, closes: list[float]) -> None:
        self.folder, self.panel, self.row = folder, panel(closes), 0
        self.open()

    def open(self, limits: RiskLimits = WIDE) -> None:
        self.venue = SimulatedExchange("east", self.panel, FREE, self.folder / "venue.sqlite")
        journal = open_journal(self.folder / "journal.sqlite")
        self.account = Account("test", journal, self.venue, limits, self.panel.instruments, self.now)
        self.account.deposit(Decimal(100_000))

    def close(self) -> None:
        self.account.close()
        self.venue.close()

    def reopen(self, limits: RiskLimits = WIDE) -> None:
        self.close()
        self.open(limits)

    def now(self) -> datetime:
        return self.panel.time(self.row)

    def bar(self, row: int) -> AccountState:
        self.row = row
        self.venue.advance(row)
        price = Decimal(str(self.panel.closes[row, 0]))
        return self.account.sync(self.now(), {"KO": price, "PEP": price})

    def states(self) -> dict[str, OrderStatus]:
        return {o.request.client_order_id: o.status for o in self.account.orders()}

    @property
    def breaker(self) -> BreakerState:
        return self.account._books.breaker_state


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Callable[[list[float]], Room]]:
    made: list[Room] = []

    def make(closes: list[float]) -> Room:
        made.append(Room(tmp_path, closes))
        made[0].bar(0)
        return made[0]

    yield make
    for one in made:
        one.close()


def order(client_order_id: str, quantity: int = 10, **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"symbol": "KO", "side": Side.BUY, "strategy": "momentum"}
    return OrderRequest(client_order_id, quantity=Decimal(quantity), **(values | changes))


def rest(client_order_id: str, price: int = 10, **changes: Any) -> OrderRequest:
    """A limit order that works until it is cancelled."""
    terms = {"type": OrderType.LIMIT, "limit_price": Decimal(price), "time_in_force": TimeInForce.GTC}
    return order(client_order_id, **(terms | changes))


ALL = {"a", "b", "c"}


@pytest.mark.parametrize(
    ("scopes", "canceled"),
    [
        ("account", ALL),
        ("venue:east", ALL),
        ("venue:west", set()),
        ("strategy:momentum", {"a", "c"}),
        ("symbol:PEP", {"c"}),
        (["symbol:PEP", "strategy:pairs"], {"b", "c"}),
    ],
)
def test_a_kill_switch_cancels_what_works_in_its_scopes_and_nothing_else(
    room: Callable[[list[float]], Room], scopes: str | list[str], canceled: set[str]
) -> None:
    here = room([50.0, 50.0])
    here.account.submit([rest("a"), rest("b", strategy="pairs"), rest("c", symbol="PEP")])
    reports = here.account.halt(scopes, *ME)
    assert {r.request.client_order_id for r in reports} == canceled
    assert {i for i, status in here.states().items() if status is OrderStatus.CANCELED} == canceled
    here.reopen()
    assert here.account.submit([rest("d", symbol="PEP")])[0].rule == ("kill_switch" if canceled else "")
    here.account.resume(scopes, *ME)
    assert here.account.submit([rest("e", symbol="PEP")])[0].rule == ""


def test_what_could_not_be_cancelled_during_an_outage_is_cancelled_after_it(
    room: Callable[[list[float]], Room],
) -> None:
    here = room([50.0, 50.0, 50.0])
    here.account.submit([rest("a")])
    here.venue.fail(True)
    here.account.halt("account", *ME)
    assert here.states() == {"a": OrderStatus.PENDING_CANCEL}
    here.reopen()
    here.venue.fail(False)
    here.bar(1)
    assert here.states() == {"a": OrderStatus.CANCELED}


def test_losses_open_the_breaker_cancel_what_would_open_and_leave_the_exits(
    room: Callable[[list[float]], Room],
) -> None:
    here = room([50.0, 50.0, 40.0, 41.0])
    here.account.submit([order("long", 1500)])
    here.bar(1)
    here.account.submit([rest("more"), rest("exit", 60, side=Side.SELL, quantity=1500)])
    state = here.bar(2)
    assert state.breaker == ("daily_loss",)
    assert here.states() == {
        "long": OrderStatus.FILLED,
        "more": OrderStatus.CANCELED,
        "exit": OrderStatus.ACCEPTED,
    }
    assert here.breaker is BreakerState.HALF_OPEN
    here.reopen()
    assert here.breaker is BreakerState.HALF_OPEN
    assert here.account.submit([rest("x")])[0].rule == "daily_loss"
    here.account.cancel("exit")
    assert here.account.submit([order("out", 1500, side=Side.SELL)])[0].rule == ""
    here.account.reset(*ME)
    assert here.breaker is BreakerState.CLOSED


def test_the_breaker_stays_open_until_the_venue_has_cancelled(room: Callable[[list[float]], Room]) -> None:
    here = room([50.0, 50.0, 40.0, 40.0])
    here.account.submit([order("long", 1500)])
    here.bar(1)
    here.account.submit([rest("more")])
    here.venue.fail(True)
    here.row = 2
    here.account.sync(here.now(), {"KO": Decimal(40)})
    assert here.breaker is BreakerState.OPEN
    assert here.account.submit([order("out", 1500, side=Side.SELL)])[0].rule == "breaker_open"
    here.venue.fail(False)
    here.account.sync(here.now(), {})
    assert here.breaker is BreakerState.HALF_OPEN


def test_limits_change_only_with_a_signature_and_survive_a_restart(room: Callable[[list[float]], Room]) -> None:
    here = room([50.0, 50.0])
    assert here.account.submit([order("a", 101)])[0].rule == ""
    with pytest.raises(BadInputError, match="not a signature"):
        here.account.change_limits({"max_order_notional": 5000}, "", "why")
    with pytest.raises(RiskError, match="max_ordr_notional"):
        here.account.change_limits({"max_ordr_notional": 5000}, *ME)
    with pytest.raises(RiskError, match="max_drawdown=7 makes no sense"):
        here.account.change_limits({"max_drawdown": 7}, *ME)
    assert here.account.limits == WIDE
    assert here.account.change_limits({"max_order_notional": 5000}, *ME).max_order_notional == 5000
    here.reopen()
    assert here.account.submit([order("b", 101)])[0].rule == "order_notional"
    assert here.account.revert_limits([], *ME) == WIDE
    assert here.account.submit([order("c", 101)])[0].rule == ""


def test_a_change_of_limits_expires_by_itself(room: Callable[[list[float]], Room]) -> None:
    here = room([50.0, 50.0, 50.0])
    with pytest.raises(BadInputError, match="changes nothing"):
        here.account.change_limits({"max_order_notional": 5000}, *ME, expires=here.now())
    until = here.now() + timedelta(hours=36)
    here.account.change_limits({"max_order_notional": 5000, "price_collar": "0.2"}, *ME, expires=until)
    here.account.change_limits({"price_collar": "0.3"}, *ME)
    here.bar(1)
    assert here.account.submit([order("a", 101)])[0].rule == "order_notional"
    here.reopen()
    here.row = 2
    assert here.account.submit([order("b", 101)])[0].rule == ""
    # The later change, which does not expire, stays.
    assert here.account.limits.exact("price_collar") == Decimal("0.3")


def test_a_strategy_that_executes_too_often_is_stopped_until_a_person_resumes_it(
    room: Callable[[list[float]], Room],
) -> None:
    here = room([50.0] * 4)
    here.reopen(RiskLimits(max_concentration=1, max_executions=2))
    here.bar(0)
    here.account.submit([order(f"a{n}", n) for n in (1, 2)])
    here.bar(1)
    assert here.account.submit([rest("rests", 40)])[0].rule == ""
    here.account.submit([order(f"b{n}", n) for n in (1, 2, 3)])
    state = here.bar(2)
    assert list(state.halts) == ["strategy:momentum"]
    assert state.halts["strategy:momentum"].startswith("risk gate: More than 2 executions")
    assert here.states()["rests"] is OrderStatus.CANCELED
    assert here.account.submit([order("c")])[0].rule == "kill_switch"
    assert here.account.submit([order("d", strategy="pairs")])[0].rule == ""
    here.account.resume("strategy:momentum", *ME)
    assert here.bar(3).halts == {}
    assert here.account.submit([order("e")])[0].rule == ""


def test_an_open_breaker_leaves_both_exits_of_a_bracket_at_work(room: Callable[[list[float]], Room]) -> None:
    here = room([50.0, 50.0, 40.0, 41.0])
    exits: dict[str, Any] = {"side": Side.SELL, "parent": "e", "oco_group": "x", "quantity": 1500}
    loss = {"type": OrderType.STOP, "limit_price": None, "stop_price": Decimal(30)}
    orders = [order("e", 1500), rest("profit", 60, **exits), rest("loss", **exits, **loss)]
    assert [r.rule for r in here.account.submit(orders)] == [""] * 3
    here.bar(1)
    assert here.bar(2).breaker == ("daily_loss",)
    assert here.states() == {"e": OrderStatus.FILLED, "profit": OrderStatus.ACCEPTED, "loss": OrderStatus.ACCEPTED}
    assert here.breaker is BreakerState.HALF_OPEN


def test_what_crashed_before_it_was_sent_is_sent_by_the_next_account(room: Callable[[list[float]], Room]) -> None:
    here = room([50.0, 50.0])
    here.account.prepare([rest("a")])
    assert here.venue.order("a") is None
    here.reopen()
    assert here.states() == {"a": OrderStatus.ACCEPTED}
    assert here.venue.order("a") is not None


@pytest.mark.parametrize("reason", ["stopped", "late"])
def test_what_crashed_before_it_was_sent_is_not_sent_once_it_is_stopped_or_late(
    room: Callable[[list[float]], Room], reason: str
) -> None:
    here = room([50.0, 50.0])
    here.account.prepare([rest("a")])
    if reason == "stopped":
        here.account.halt("strategy:momentum", *ME)
    else:
        here.row = 1
    here.reopen()
    left = here.account.order("a")
    assert (left.status, left.not_sent) == (OrderStatus.REJECTED, True)
    assert here.venue.order("a") is None


def test_the_ledger_holds_what_open_orders_may_still_trade(room: Callable[[list[float]], Room]) -> None:
    here = room([50.0, 50.0, 50.0])
    here.account.submit([order("a", 10), rest("b", 40, quantity=5)])
    assert here.account.books.ledger.reserved == 10 * 50 + 5 * 40
    here.bar(1)
    assert here.account.books.ledger.reserved == 5 * 40
    here.reopen()
    here.account.cancel("b")
    assert here.account.books.ledger.reserved == 0
    assert sum(here.account.balances().values()) == 0
