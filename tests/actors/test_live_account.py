"""Live accounts as actors: four agents, deaths in the middle, two copies, at the simulator of Alpaca."""

import os
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import ray

from actors.broker_pool import RayRouter
from actors.calls import settle
from actors.live_account import LiveAccountActor, actor_name, start, stop
from actors.live_desk import RayLiveAccounts
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings
from nt_ray.errors import FencedError
from nt_ray.storage.opening import opened
from nt_ray.trader.connection import journal_of
from nt_ray.trader.dispatch import Dispatcher
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.routing import RoutingPolicy, RoutingTable, VenueFacts
from nt_ray.trader.watcher import Pace
from nt_ray.trading import events as e
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

pytestmark = pytest.mark.usefixtures("ray_cluster")

ORDERS = 12
AGENTS = ("adam", "beth", "carl", "dora")
PACE = Pace(sync_s=2.0, hear_s=0.01)
"""Slow enough that asking does not spend the key's budget of requests."""


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=100_000) as running:
        yield running


@pytest.fixture
def plan(simulator: AlpacaSimulator, tmp_path: Path) -> SettingsPlan:
    return plan_of(simulator, tmp_path, "paper")


def plan_of(simulator: AlpacaSimulator, folder: Path, name: str) -> SettingsPlan:
    table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
    values = {f"brokers.{name}.{field}": value for field, value in table.items()}
    settings = load_settings(None, {"brokers.enabled": name, "state": str(folder), **values})
    return SettingsPlan(settings, name, ("AAPL",))


@ray.remote(num_cpus=0)
class Agent:
    """Buys one share after the other, repeats under the same id what got no answer, and asks again what is in doubt."""

    def __init__(self, account: Any, name: str) -> None:
        self._account, self._name = account, name

    def trade(self, count: int) -> list[str]:
        """Submit one by one; return the states that came back."""
        found = []
        for number in range(count):
            batch = [buy(f"{self._name}-{number}", strategy=self._name)]
            call = lambda batch=batch: self._account.submit.remote(batch)  # noqa: E731
            told = settle(call(), call, "the account")[0]
            while told.status is OrderStatus.SUBMITTED:
                # The order of a killed sender may still be under way for a moment.
                time.sleep(0.05)
                ask = lambda told=told: self._account.find.remote(told.request.client_order_id)  # noqa: E731
                told = settle(ask(), ask, "the account")
            found.append(str(told.status))
        return found


def buy(client_order_id: str, strategy: str = "test", **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"time_in_force": TimeInForce.GTC}
    return OrderRequest(client_order_id, "AAPL", Side.BUY, Decimal(1), strategy, **(values | changes))


def journalled(plan: SettingsPlan) -> list[e.Event]:
    with opened(journal_of(plan.settings, plan.name)) as journal:
        assert journal.verify().fault is None
        return [entry.event for entry in journal.read()]


def test_nothing_is_lost_or_doubled_when_the_actor_dies_under_four_agents(
    simulator: AlpacaSimulator, plan: SettingsPlan
) -> None:
    account = start(plan, PACE)
    try:
        pid = ray.get(account.pid.remote())
        agents = [Agent.remote(account, name) for name in AGENTS]
        work = [agent.trade.remote(ORDERS) for agent in agents]
        while len(simulator.orders()) < ORDERS:
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        told = ray.get(work, timeout=120)
        assert ray.get(account.pid.remote()) != pid
        comparison = ray.get(account.reconcile.remote())
        fills = ray.get(account.fills.remote())
        orders = ray.get(account.orders.remote())
    finally:
        stop(plan.name)
        for agent in agents:
            ray.kill(agent)
    wanted = sorted(f"{name}-{number}" for name in AGENTS for number in range(ORDERS))
    assert {state for states in told for state in states} <= {"accepted", "filled"}, told
    assert sorted(order["client_order_id"] for order in simulator.orders()) == wanted
    assert sorted(order.request.client_order_id for order in orders) == wanted
    assert sorted(fill.client_order_id for fill in fills) == wanted
    assert comparison.differences == ()
    assert sum(isinstance(event, e.EpochStarted) for event in journalled(plan)) == 2


def test_of_two_copies_on_one_journal_exactly_one_writes(simulator: AlpacaSimulator, plan: SettingsPlan) -> None:
    older = LiveAccountActor.remote(plan, PACE)
    ray.get(older.ping.remote())
    newer = LiveAccountActor.remote(plan, PACE)
    ray.get(newer.ping.remote())
    try:
        refs = [(name, account.submit.remote([buy(name)])) for name, account in (("old", older), ("new", newer))]
        with pytest.raises(FencedError):
            ray.get(refs[0][1])
        assert ray.get(refs[1][1])[0].status in (OrderStatus.ACCEPTED, OrderStatus.FILLED)
        assert ray.get(older.find.remote("old")) is None
    finally:
        for account in (older, newer):
            ray.kill(account)
    assert [order["client_order_id"] for order in simulator.orders()] == ["new"]
    sent = [event.client_order_id for event in journalled(plan) if isinstance(event, e.OrderSubmitted)]
    assert sent == ["new"]


def test_a_cancel_passes_while_all_order_threads_wait_for_the_venue(
    simulator: AlpacaSimulator, plan: SettingsPlan
) -> None:
    account = start(plan, PACE)
    try:
        far = {"type": OrderType.LIMIT, "limit_price": Decimal(60)}
        ray.get(account.submit.remote([buy("rests", **far)]))
        simulator.fault("delay", method="POST", path="/v2/orders", seconds=3, count=16)
        slow = [account.submit.remote([buy(f"slow-{number}", **far)]) for number in range(16)]
        while len(simulator.orders()) < 2:
            time.sleep(0.01)
        assert ray.get(account.cancel.remote("rests")).status in (OrderStatus.CANCELED, OrderStatus.PENDING_CANCEL)
        waiting = ray.wait(slow, num_returns=16, timeout=0)[1]
        assert waiting
        assert {ray.get(ref)[0].status for ref in slow} == {OrderStatus.ACCEPTED}
    finally:
        stop(plan.name)


def test_an_order_that_was_certainly_not_sent_goes_to_another_account_and_the_pool_says_why(
    simulator: AlpacaSimulator, tmp_path: Path
) -> None:
    gone = AlpacaSimulator().start()
    names = ("gone", "here")
    for name, venue in zip(names, (gone, simulator), strict=True):
        start(plan_of(venue, tmp_path, name), PACE)
    facts = {name: VenueFacts(Decimal(cost)) for cost, name in enumerate(names)}
    table = RoutingTable(dict.fromkeys(names, Decimal("0.5")), frozenset(names), 0, RoutingPolicy.CHEAPEST, facts)
    router = RayRouter("live-test", {name: actor_name(name) for name in names}, table)
    try:
        dispatcher = Dispatcher(RayLiveAccounts(names), router, lambda: 0.0)
        assert dispatcher.submit(buy("first"))[0] == "gone"
        gone.stop()
        account, report = dispatcher.submit(buy("second"))
        assert (account, report.status) in [("here", OrderStatus.ACCEPTED), ("here", OrderStatus.FILLED)]
        assert dispatcher.submit(buy("second"))[0] == "here"
        assert router.table.reachable == {"here"}
        health = router.health()
    finally:
        router.close()
        for name in names:
            stop(name)
    assert (health["gone"]["circuit"], health["here"]["circuit"]) == ("open", "closed")
    assert [order["client_order_id"] for order in simulator.orders()] == ["second"]
