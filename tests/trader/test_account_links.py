"""Linked orders, replacements and orders by notional through gate, journal and exchange."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.brokers.base import AmbiguousError, Capabilities, VenueOrder
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trading.orders import OrderRequest, OrderType, Side, TimeInForce

FREE = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
LIMITS = RiskLimits(
    max_order_notional=Decimal(2000), max_concentration=1.0, max_gross_exposure=1.0, max_net_exposure=1.0,
    self_trade=False, max_daily_loss=1.0, max_drawdown=1.0,
)  # fmt: skip
GTC = TimeInForce.GTC


def bars() -> BarPanel:
    # Rises from 10 to 13, then falls to 8.
    ranges = [(10, 10, 10, 10), (10, 11, 10, 11), (11, 13, 11, 13), (13, 13, 10, 10), (10, 10, 8, 8), (8, 8, 8, 8)]
    values = np.array([[[*bar, np.nan]] for bar in ranges], dtype=np.float64)
    times = np.arange(1, 7, dtype=np.int64) * 86_400_000_000_000
    return BarPanel((Instrument("KO", Decimal("0.01")),), times, values)


class Lossy:
    """An exchange whose next answers to new orders get lost on the way."""

    def __init__(self, inner: SimulatedExchange) -> None:
        self._inner = inner
        self.lose = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def submit_linked(self, requests: Sequence[OrderRequest]) -> list[VenueOrder]:
        return self._lost(self._inner.submit_linked(requests))

    def replace_order(self, request: OrderRequest) -> VenueOrder:
        return self._lost(self._inner.replace_order(request))

    def _lost(self, answer: Any) -> Any:
        if self.lose:
            self.lose -= 1
            raise AmbiguousError("The answer was lost.")
        return answer


class Machine:
    """Account and venue over one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bars = bars()
        self.row = 0
        self.open()

    def open(self) -> None:
        exchange = SimulatedExchange("sim", self.bars, FREE, self.folder / "venue.sqlite")
        self.venue = Lossy(exchange)
        self.account = Account(
            "test", open_journal(self.folder / "journal.sqlite"), self.venue, LIMITS, self.bars.instruments,
            lambda: self.bars.time(self.row),
        )  # fmt: skip
        self.account.deposit(Decimal(1000))

    def again(self) -> None:
        self.close()
        self.open()

    def play(self, row: int) -> None:
        self.row = row
        self.venue.advance(row)
        self.account.sync(self.bars.time(row), {"KO": Decimal(str(self.bars.closes[row, 0]))})

    def close(self) -> None:
        self.account.close()
        self.venue.close()

    def states(self, *ids: str) -> list[str]:
        return [self.account.order(client_order_id).status.value for client_order_id in ids]

    @property
    def used(self) -> Decimal:
        return self.account._books.exposure.used

    def check_held(self) -> None:
        """What is counted as open equals the sum over the orders that it is counted for."""
        books = self.account._books
        for side, counted in ((Side.BUY, books.exposure.line("KO").buys), (Side.SELL, books.exposure.line("KO").sells)):
            held = books.claims.held.items()
            assert counted == sum(q for name, q in held if books.orders[name].request.side is side)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    made.play(0)
    yield made
    made.close()


def order(client_order_id: str, side: Side = Side.BUY, quantity: int = 80, **changes: Any) -> OrderRequest:
    return OrderRequest(client_order_id, "KO", side, Decimal(quantity), "test", **changes)


def limit(price: str, **changes: Any) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": Decimal(price), "time_in_force": GTC, **changes}


def bracket(profit: str = "12.50", loss: str = "9") -> list[OrderRequest]:
    exits = {"parent": "e", "oco_group": "x"}
    stop = {"type": OrderType.STOP, "stop_price": Decimal(loss), "time_in_force": GTC}
    return [
        order("e"),
        order("tp", Side.SELL, **limit(profit, **exits)),
        order("sl", Side.SELL, **stop, **exits),
    ]


def test_the_exits_of_a_bracket_take_no_buying_power_of_their_own(machine: Machine) -> None:
    # The entry takes 800 of 1,000; exits counted by themselves would take twice as much again.
    assert [r.status.value for r in machine.account.submit(bracket())] == ["accepted"] * 3
    assert machine.used == 800
    machine.check_held()
    machine.play(1)
    assert machine.states("e", "tp", "sl") == ["filled", "accepted", "accepted"]
    assert machine.used == 880
    assert machine.account._books.exposure.line("KO").sells == 80
    machine.play(2)
    assert machine.states("tp", "sl") == ["filled", "canceled"]
    assert machine.account.state().cash == 1000 + 80 * Decimal("2.5")
    assert (machine.used, machine.account._books.claims.held) == (0, {})


def test_a_bracket_goes_on_after_a_restart_at_any_bar(machine: Machine) -> None:
    machine.account.submit(bracket(profit="14"))
    for row in range(1, 5):
        machine.again()
        machine.play(row)
        machine.check_held()
    assert machine.states("e", "tp", "sl") == ["filled", "canceled", "filled"]
    assert machine.account.state().cash == 1000 - 80


def test_a_bracket_with_a_part_that_is_denied_is_denied_as_a_whole(machine: Machine) -> None:
    reports = machine.account.submit([*bracket()[:2], order("sl", Side.SELL, 300, **limit("9", parent="e"))])
    assert [r.rule for r in reports] == ["linked", "linked", "order_notional"]
    assert machine.venue.open_orders() == []
    assert (machine.used, machine.account._books.claims.kin) == (0, {})


def test_of_a_group_the_largest_counts(machine: Machine) -> None:
    group = {"oco_group": "g"}
    reports = machine.account.submit([order("a", quantity=60, **limit("9", **group)),
                                      order("b", quantity=90, **limit("8.50", **group))])  # fmt: skip
    assert [r.status.value for r in reports] == ["accepted", "accepted"]
    assert machine.used == 900
    machine.check_held()
    machine.account.cancel("b")
    assert machine.used == 600
    machine.check_held()


def test_a_trailing_stop_sells_what_was_bought(machine: Machine) -> None:
    machine.account.submit([order("b")])
    machine.play(1)
    trail = {"type": OrderType.TRAILING_STOP, "trail_amount": Decimal(2), "time_in_force": GTC}
    machine.account.submit([order("t", Side.SELL, **trail)])
    machine.play(2)
    machine.play(3)
    assert machine.states("b", "t") == ["filled", "filled"]
    # The best price was 13.
    assert machine.account.state().cash == 1000 + 80


def test_a_replacement_is_judged_without_the_order_it_replaces(machine: Machine) -> None:
    machine.account.submit([order("a", quantity=90, **limit("9"))])
    report = machine.account.replace(order("b", quantity=95, **limit("9.50"), replaces="a"))
    assert (report.status.value, machine.states("a")) == ("accepted", ["replaced"])
    assert machine.used == 950
    machine.check_held()
    denied = machine.account.replace(order("c", quantity=101, **limit("9.50"), replaces="b"))
    assert (denied.rule != "", machine.states("b")) == (True, ["accepted"])
    assert machine.used == 950
    gone = machine.account.replace(order("d", quantity=1, **limit("9.50"), replaces="a"))
    assert gone.rule == "replace"
    machine.check_held()


def test_of_two_replacements_of_one_order_in_a_batch_the_second_is_denied(machine: Machine) -> None:
    machine.account.submit([order("a", quantity=5, **limit("8"))])
    both = [order(name, quantity=5, **limit("9"), replaces="a") for name in ("b", "c")]
    assert [told.rule for told in machine.account.submit(both)] == ["", "replace"]
    machine.close()
    machine.open()
    assert machine.states("a", "b", "c") == ["replaced", "accepted", "denied"]
    machine.check_held()


def test_a_refused_replacement_leaves_the_order_at_work(machine: Machine) -> None:
    machine.account.submit(bracket())
    machine.play(1)
    report = machine.account.replace(order("n", Side.SELL, 81, **limit("12"), replaces="tp"))
    assert (report.status.value, machine.states("tp")) == ("rejected", ["accepted"])
    machine.check_held()
    machine.play(2)
    assert machine.states("tp", "sl") == ["filled", "canceled"]


@pytest.mark.parametrize("restart", [True, False])
def test_a_bracket_whose_answer_was_lost_is_found_again(machine: Machine, restart: bool) -> None:
    machine.venue.lose = 1
    assert [r.status.value for r in machine.account.submit(bracket())] == ["submitted"] * 3
    if restart:
        machine.again()
    else:
        machine.play(1)
    assert machine.account.order("tp").venue_order_id == "sim-2"
    machine.play(2)
    assert machine.states("e", "tp", "sl") == ["filled", "filled", "canceled"]
    assert len(machine.account.fills()) == 2


@pytest.mark.parametrize("restart", [True, False])
def test_a_replacement_whose_answer_was_lost_is_found_again(machine: Machine, restart: bool) -> None:
    machine.account.submit([order("a", quantity=50, **limit("9"))])
    machine.venue.lose = 1
    machine.account.replace(order("b", quantity=60, **limit("10.50"), replaces="a"))
    assert machine.states("a", "b") == ["pending_replace", "submitted"]
    # One of the two will trade: the larger counts.
    assert machine.used == 600
    if restart:
        machine.again()
    machine.play(1)
    assert machine.states("a", "b") == ["replaced", "filled"]
    machine.check_held()


def test_an_order_by_notional_reserves_its_money_until_it_is_done(machine: Machine) -> None:
    machine.account.submit([OrderRequest("n", "KO", Side.BUY, Decimal(0), "test", notional=Decimal(905))])
    assert machine.used == 905
    machine.play(1)
    assert machine.states("n") == ["filled"]
    assert machine.account.state().positions == {"KO": Decimal(90)}
    assert machine.account._books.claims.held == {}


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        (order("a", **limit("9", oco_group="g")), "linked orders"),
        (order("a", **limit("9", post_only=True)), "post-only orders"),
        (order("a", reduce_only=True), "reduce-only orders"),
        (OrderRequest("a", "KO", Side.BUY, Decimal(0), "test", notional=Decimal(5)), "orders by notional"),
        (order("a", **limit("9", extended_hours=True)), "orders for extended hours"),
        (order("a", replaces="b"), "replacements"),
        (order("a" * 9), "client ids of more than 8 characters"),
        (order("a:b"), "client ids other than [a-z]+"),
        (replace(order("a"), quantity=Decimal("1.5")), "fractions of a unit"),
        (order("a", type=OrderType.STOP, stop_price=Decimal(9)), "stop orders"),
        (order("a", time_in_force=TimeInForce.FOK), "time in force fok"),
    ],
)
def test_what_a_venue_cannot_do_is_refused_before_the_gate(tmp_path: Path, request_: OrderRequest, what: str) -> None:
    kinds, tifs = frozenset({OrderType.MARKET, OrderType.LIMIT}), frozenset({TimeInForce.DAY, GTC})
    plain = Capabilities(
        kinds, tifs, short_selling=True, fractional=False, lookup_proves_absence=True,
        longest_client_id=8, client_id=re.compile("[a-z]+"),
    )  # fmt: skip
    exchange = SimulatedExchange("sim", bars(), FREE, tmp_path / "venue.sqlite")
    venue = Lossy(exchange)
    venue.capabilities = lambda: plain  # type: ignore[attr-defined]
    account = Account(
        "test", open_journal(tmp_path / "journal.sqlite"), venue, LIMITS, bars().instruments, lambda: bars().time(0)
    )
    (report,) = account.submit([request_])
    assert (report.rule, what in report.reason) == ("capability", True)
    account.close()
    venue.close()


def test_a_venue_without_short_sales_lets_positions_be_closed_and_no_more(tmp_path: Path) -> None:
    exchange = SimulatedExchange("sim", bars(), FREE, tmp_path / "venue.sqlite")
    venue = Lossy(exchange)
    able = replace(exchange.capabilities(), short_selling=False)
    venue.capabilities = lambda: able  # type: ignore[attr-defined]
    account = Account(
        "test", open_journal(tmp_path / "journal.sqlite"), venue, LIMITS, bars().instruments, lambda: bars().time(0)
    )
    account.deposit(Decimal(100_000))
    exchange.advance(0)
    account.sync(bars().time(0), {"KO": Decimal(10)})
    (told,) = account.submit([order("a", side=Side.SELL)])
    assert told.rule == "not_borrowable"
    account.close()
    venue.close()
