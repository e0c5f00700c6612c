"""Live accounts as actors: four agents, deaths in the middle, two copies, at the simulator of Alpaca."""

import contextlib
import io
import json
import os
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import ray
from typer.testing import CliRunner

from actors import live_pool
from actors.broker_pool import RayRouter
from actors.live_account import actor_class, actor_name, find, start, stop
from actors.live_handle import AccountGoneError, LiveHandle
from jobs import cli
from jobs.brokers_command import brokers_app
from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings
from nt_ray.errors import FencedError
from nt_ray.storage.opening import opened
from nt_ray.trader.connection import journal_of
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
    # Agents send one equal order after the other.
    values["risk.duplicate_window_s"] = "0"
    settings = load_settings(None, {"brokers.enabled": name, "state": str(folder), **values})
    return SettingsPlan(settings, name, ("AAPL",))


@ray.remote(num_cpus=0)
class Agent:
    """Buys one share after the other, repeats under the same id what got no answer, and asks again what is in doubt."""

    def __init__(self, account: LiveHandle, name: str) -> None:
        self._account, self._name = account, name

    def trade(self, count: int) -> list[str]:
        """Submit one by one; return the states that came back."""
        found = []
        for number in range(count):
            told = self._account.call("submit", [buy(f"{self._name}-{number}", strategy=self._name)])[0]
            while told.status is OrderStatus.SUBMITTED:
                # The order of a killed sender may still be under way for a moment.
                time.sleep(0.05)
                told = self._account.call("find", told.request.client_order_id)
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
        agents = [Agent.remote(LiveHandle(plan.name), name) for name in AGENTS]
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
    older = actor_class(plan.concurrency).remote(plan, PACE)
    ray.get(older.ping.remote())
    newer = actor_class(plan.concurrency).remote(plan, PACE)
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
        far = {"type": OrderType.LIMIT, "limit_price": Decimal(90)}
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


def over_two(monkeypatch: pytest.MonkeyPatch, folder: Path, gone: AlpacaSimulator, here: AlpacaSimulator) -> Settings:
    """Settings of two brokers, of which `gone` is cheaper; in the environment of commands, too."""
    values = {"NT_STATE": str(folder), "NT_BROKERS__ENABLED": '["gone", "here"]', "NT_BROKERS__ROUTING": "cheapest"}
    values |= {
        "NT_RISK__DUPLICATE_WINDOW_S": "0",
        "NT_BROKERS__CIRCUIT_FAILURES": "1",
        "NT_BROKERS__CIRCUIT_PROBE_S": "3600",
    }
    values |= {"NT_BROKERS__CIRCUIT_LONGEST_S": "3600", "NT_BROKERS__HERE__COMMISSION_BPS": "5"}
    for name, venue in (("GONE", gone), ("HERE", here)):
        table = {"KIND": "alpaca", "URL": venue.url, "KEY": "PKSIMULATED", "SECRET": "simulated-secret"}
        values |= {f"NT_BROKERS__{name}__{field}": value for field, value in table.items()}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
    return load_settings(None, {})


def test_orders_are_routed_over_live_accounts_and_what_was_not_sent_goes_to_the_next_whatever_dies(
    simulator: AlpacaSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = AlpacaSimulator(requests_per_minute=100_000).start()
    settings = over_two(monkeypatch, tmp_path, gone, simulator)
    order = ("order", "submit", "AAPL", "--side", "buy", "--quantity", "1", "--tif", "gtc", "--id")
    assert command(*order, "nobody")[1]["error"]["code"] == "no_live_accounts"
    for name in ("gone", "here"):
        start(SettingsPlan(settings, name, ("AAPL",)), PACE)
    live_pool.start_over_several(settings)
    try:
        code, first = command(*order, "first")
        assert (code, first["account"]) == (0, "gone")
        gone.stop()
        code, second = command(*order, "second")
        assert (code, second["account"], second["status"] in ("accepted", "filled")) == (0, "here", True)
        assert command(*order, "second")[1]["account"] == "here"
        pool = live_pool.find_pool()
        ray.kill(pool, no_restart=False)
        code, told = command("brokers", "status")
        while told["cluster"]["pool"] is None or None in [row["circuit"] for row in told["cluster"]["accounts"]]:
            # The pool is away for a moment.
            code, told = command("brokers", "status")
        assert command(*order, "third")[1]["account"] == "here"
        shown = status_of_brokers()[0]
    finally:
        live_pool.stop()
        for name in ("gone", "here"):
            stop(name)
    rows = {row["account"]: row for row in told["cluster"]["pool"]["accounts"]}
    assert (rows["gone"]["circuit"], rows["gone"]["trips"], rows["gone"]["reachable"]) == ("open", 1, False)
    assert (rows["here"]["circuit"], rows["here"]["reachable"], code) == ("closed", True, 1)
    assert told["cluster"]["pool"]["routing"] == "cheapest"
    assert {row["account"]: row["circuit"] for row in told["cluster"]["accounts"]} == {"gone": "open", "here": "closed"}
    assert "The broker pool routes by cheapest." in shown
    assert [order["client_order_id"] for order in simulator.orders()] == ["second", "third"]


def status_of_brokers(*options: str) -> Any:
    """What `nt-ray brokers status` prints, and its exit code."""
    done = CliRunner(env={"COLUMNS": "250"}).invoke(
        brokers_app, ["status", *options], catch_exceptions=False, standalone_mode=False
    )
    return done.stdout, done.return_value


def set_broker(monkeypatch: pytest.MonkeyPatch, simulator: AlpacaSimulator) -> None:
    table = {"url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret", "kind": "alpaca"}
    monkeypatch.setenv("NT_BROKERS__ENABLED", '["paper"]')
    for field, value in table.items():
        monkeypatch.setenv(f"NT_BROKERS__PAPER__{field.upper()}", value)


def test_the_status_of_brokers_shows_what_the_live_accounts_of_the_cluster_say_of_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = AlpacaSimulator(requests_per_minute=100_000).start()
    set_broker(monkeypatch, venue)
    monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
    assert json.loads(status_of_brokers("--json")[0])["cluster"]["accounts"] == []
    account = start(plan_of(venue, tmp_path, "paper"), Pace(sync_s=0.3, hear_s=0.05))
    facts = {"paper": VenueFacts(Decimal(0))}
    table = RoutingTable({"paper": Decimal(1)}, frozenset({"paper"}), 0, RoutingPolicy.CHEAPEST, facts)
    router = RayRouter("status-test", {"paper": actor_name("paper")}, table)
    try:
        ray.get(account.submit.remote([buy("rests", type=OrderType.LIMIT, limit_price=Decimal(90))]))
        text, code = status_of_brokers("--json")
        (live,) = json.loads(text)["cluster"]["accounts"]
        shown, _ = status_of_brokers()
        pid = ray.get(account.pid.remote())
        router.failed("paper", 0.0)
        venue.stop()
        while ray.get(account.reach.remote()):
            time.sleep(0.02)
        later, code_later = status_of_brokers("--json")
        (down,) = json.loads(later)["cluster"]["accounts"]
    finally:
        router.close()
        stop("paper")
    assert (live["account"], live["up"], live["failures"], live["circuit"], code) == ("paper", True, 0, "closed", 0)
    assert (live["open_orders"], live["in_doubt"], live["epoch"], live["pid"]) == (1, 0, 1, pid)
    assert live["node"] == ray.get_runtime_context().get_node_id()
    assert live["latency_ms"] > 0
    assert [line for line in shown.splitlines() if str(pid) in line and "closed" in line and "yes" in line]
    assert (down["up"], down["circuit"], code_later) == (False, "open", 1)
    assert down["failures"] > 0
    assert down["error"]


def test_the_status_of_brokers_stands_without_a_cluster_and_names_one_that_is_gone(
    simulator: AlpacaSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_broker(monkeypatch, simulator)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert json.loads(status_of_brokers("--json")[0]).keys() == {"routing", "brokers"}
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    told = json.loads(status_of_brokers("--json")[0])
    assert told["brokers"][0]["up"]
    assert "not reachable at '127.0.0.1:1'" in told["cluster"]["error"]


def command(*arguments: str) -> tuple[int, Any]:
    """Run a command of `nt-ray` in this process; its exit code and JSON."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = cli.main([*arguments, "--json"])
    return code, json.loads(output.getvalue() or "null")


def test_commands_go_to_the_actor_which_trades_on_until_one_takes_over(
    simulator: AlpacaSimulator, plan: SettingsPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_broker(monkeypatch, simulator)
    monkeypatch.setenv("NT_STATE", str(tmp_path))
    monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
    me = ("--who", "Ann", "--reason", "drill")
    order = ("order", "submit", "paper", "AAPL", "--side", "buy", "--quantity", "1", "--type", "limit")
    account = start(plan, PACE)
    try:
        code, told = command(*order, "--limit", "90", "--tif", "gtc", "--id", "rests")
        assert (code, told["status"]) == (0, "accepted")
        assert command("account", "limits", "paper", "--change", "max_order_quantity=5", *me)[0] == 0
        assert command("account", "limits", "paper")[1]["max_order_quantity"] == "5"
        # What a change comes to is the account's word, whose journal may lie elsewhere.
        elsewhere = ("--set", f"state={tmp_path / 'elsewhere'}")
        code, told = command("account", "limits", "paper", "--change", "max_order_quantity=6", *me, *elsewhere)
        assert (code, told["max_order_quantity"]) == (0, "6")
        code, told = command("account", "halt", "paper", "symbol:AAPL", *me)
        assert (code, set(told["canceled"])) == (0, {"rests"})
        assert command("account", "resume", "paper", "nonsense", *me)[0] == 2
        code, told = command("account", "reconcile", "paper")
        assert (code, told["agrees"], told["orders"]) == (0, True, 1)
        epoch = ray.get(account.status.remote()).epoch
        # Without the cluster's name nobody but the journal's lock tells that it is traded.
        monkeypatch.delenv("RAY_ADDRESS")
        code, told = command("account", "halt", "paper", "account", *me)
        assert (code, told["error"]["code"]) == (2, "held")
        assert command("account", "halt", "paper", "account", *me, "--take-over")[0] == 0
        while not ray.get(account.status.remote()).is_fenced:
            time.sleep(0.05)
        fresh = ray.get(start(plan, PACE).status.remote())
    finally:
        stop(plan.name)
    assert (epoch, fresh.epoch, fresh.is_fenced) == (1, 3, False)


def test_a_running_account_adopts_what_others_have_traded_and_trades_on(
    simulator: AlpacaSimulator, plan: SettingsPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_broker(monkeypatch, simulator)
    monkeypatch.setenv("NT_STATE", str(tmp_path))
    monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
    me = ("--who", "Ann", "--reason", "traded by hand")
    account = start(plan, PACE)
    try:
        assert ray.get(account.submit.remote([buy("ours")]))[0].status is OrderStatus.ACCEPTED
        by_hand = AlpacaBroker("paper", simulator.access())
        by_hand.submit_order(buy("by-hand"))
        by_hand.close()
        code, told = command("account", "reconcile", "paper")
        assert (code, {d["kind"] for d in told["differences"]}) == (1, {"execution", "position", "cash"})
        assert command("account", "adopt", "paper", "--who", "", "--reason", "")[0] == 2
        code, told = command("account", "adopt", "paper", *me)
        assert (code, told["agrees"], told["differences"]) == (0, True, [])
        held = command("account", "show", "paper")[1]["positions"]
        assert ray.get(account.submit.remote([buy("after")]))[0].status is OrderStatus.ACCEPTED
        assert command("account", "reconcile", "paper")[0] == 0
        status = ray.get(account.status.remote())
    finally:
        stop(plan.name)
    assert (held, status.epoch, status.is_fenced) == ({"AAPL": "2"}, 1, False)
    signed = {(event.who, event.reason) for event in journalled(plan) if hasattr(event, "who")}
    assert signed == {("Ann", "traded by hand")}


def test_nothing_is_lost_or_doubled_when_ray_kills_the_actor_once_and_for_good(
    simulator: AlpacaSimulator, plan: SettingsPlan
) -> None:
    names = AGENTS[:2]
    account = start(plan, PACE)
    agents = [Agent.remote(LiveHandle(plan.name), name) for name in names]
    try:
        work = [agent.trade.remote(ORDERS) for agent in agents]
        while len(simulator.orders()) < ORDERS // 2:
            time.sleep(0.01)
        ray.kill(account, no_restart=False)
        while len(simulator.orders()) < ORDERS:
            time.sleep(0.01)
        ray.kill(account, no_restart=True)
        # Ray has given it up: agents wait until somebody starts it anew under its name.
        start(plan, PACE)
        told = ray.get(work, timeout=120)
        comparison = ray.get(find(plan.name).reconcile.remote())
        fills = ray.get(find(plan.name).fills.remote())
    finally:
        stop(plan.name)
        for agent in agents:
            ray.kill(agent)
    wanted = sorted(f"{name}-{number}" for name in names for number in range(ORDERS))
    assert {state for states in told for state in states} <= {"accepted", "filled"}, told
    assert sorted(order["client_order_id"] for order in simulator.orders()) == wanted
    assert sorted(fill.client_order_id for fill in fills) == wanted
    assert comparison.differences == ()
    assert sum(isinstance(event, e.EpochStarted) for event in journalled(plan)) == 3


def test_an_account_that_nobody_starts_again_is_named_with_what_to_do(plan: SettingsPlan) -> None:
    account = LiveHandle(plan.name, patience_s=0.3)
    with pytest.raises(AccountGoneError, match=r"Account paper did not come back in 0\.3 s.*live_account\.start"):
        account.call("state")


def test_an_account_moves_between_nodes_where_its_journal_is_in_a_database(plan: SettingsPlan) -> None:
    assert not plan.moves
    database = {"account.journal": "postgresql://trader@db/nt"}
    settings = load_settings(None, {**database, "brokers.enabled": "paper", "brokers.paper.kind": "alpaca"}, environ={})
    assert SettingsPlan(settings, "paper", ("AAPL",)).moves
