"""The whole gateway on a real Ray Serve: two replicas, an account's actor, Alpaca's client, killed and new replicas."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import ray
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.requests import MarketOrderRequest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from prometheus_client.parser import text_string_to_metric_families
from ray.serve.config import HTTPOptions
from ray.util import list_named_actors

from actors import jobs, live_sessions, stream
from actors.cluster import HELD, held_here
from actors.live_account import find as find_account
from actors.live_account import start as start_account
from actors.live_account import stop as stop_account
from deployments.gateway import serving
from deployments.replica import LOGGING
from nt_ray.access.first_admin import FILE
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.roles import Role
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings
from nt_ray.errors import ServiceError
from nt_ray.market.archive import save_panel
from nt_ray.market.source import load_panel
from nt_ray.trader.live_plan import ExchangePlan
from nt_ray.trader.watcher import Pace

pytestmark = pytest.mark.usefixtures("ray_cluster")

ROW = 7000
PACE = Pace(sync_s=0.5, hear_s=0.02)


def free_port() -> int:
    with socket.socket() as room:
        room.bind(("127.0.0.1", 0))
        return int(room.getsockname()[1])


@dataclass(frozen=True)
class Running:
    """A gateway on Serve, with the key of somebody who trades."""

    url: str
    key: str
    secret: str
    text: str
    settings: Settings


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> ExchangePlan:
    folder = tmp_path_factory.mktemp("exchange")
    save_panel(load_panel("sp500"), folder / "bars")
    return ExchangePlan("paper", folder, folder / "bars", ROW, Decimal(1_000_000))


@pytest.fixture(scope="module")
def gateway(ray_cluster: None, plan: ExchangePlan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("access")
    port = free_port()
    values = {"access.folder": str(folder), "gateway.port": str(port), "gateway.replicas": "2"}
    values |= {"access.per_minute": "1000000", "access.address_per_minute": "1000000", "runs": str(folder / "runs")}
    values |= {"state": str(folder), "gateway.drain_s": "600"}
    settings = load_settings(None, values, environ={})
    gatekeeper = open_gatekeeper(settings.access)
    gatekeeper.users.add("ann", Role.USER)
    made = gatekeeper.keys.add("ann", accounts={"paper"})
    start_account(plan, PACE)
    stream.start(settings)
    # As `serve run` does, and `serve deploy` in a process of its own; throughput mode is begun by `nt-ray serve`.
    ray.serve.start(proxy_location="HeadOnly", http_options=HTTPOptions(port=port), logging_config=LOGGING)
    ray.serve.run(serving.build(values), name=serving.NAME, route_prefix="/")
    yield Running(f"http://127.0.0.1:{port}", made.key.id, made.secret, made.text, settings)
    serving.stop()
    stream.stop()
    stop_account("paper")


@pytest.fixture
def client(gateway: Running) -> Iterator[TradingClient]:
    made = TradingClient(gateway.key, gateway.secret, url_override=gateway.url)
    yield made
    made._session.close()


def replicas() -> list[str]:
    found = [actor["name"] for actor in list_named_actors(all_namespaces=True) if actor["namespace"] == "serve"]
    return [name for name in found if name.startswith("SERVE_REPLICA::gateway#gateway")]


def test_an_answer_bears_one_request_id_and_a_refusal_the_same(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url) as bare:
        (given,) = bare.get("/health/live", headers={"X-Request-Id": "mine-1"}).headers.get_list("x-request-id")
        assert given == "mine-1"
        refused = bare.get("/api/v1/jobs")
        assert refused.headers.get_list("x-request-id") == [refused.json()["request_id"]]


def test_the_official_client_trades_at_the_simulated_exchange_across_bars(
    client: TradingClient, plan: ExchangePlan
) -> None:
    terms: dict[str, Any] = {"symbol": "AAPL", "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC}
    sent = client.submit_order(MarketOrderRequest(qty=100, client_order_id="across", **terms))
    assert sent.status is OrderStatus.NEW
    assert client.get_order_by_client_id("across").id == sent.id
    assert client.submit_order(MarketOrderRequest(qty=100, client_order_id="across", **terms)).id == sent.id
    # The next bar comes: the account's actor is opened again, one row on.
    stop_account("paper")
    start_account(replace(plan, row=ROW + 1), PACE)
    wait_for(lambda: client.get_order_by_id(sent.id).status is OrderStatus.FILLED)
    done = client.get_order_by_id(sent.id)
    position = client.get_open_position("AAPL")
    assert (position.qty, done.filled_qty) == ("100", "100")
    assert position.avg_entry_price == done.filled_avg_price
    account = client.get_account()
    assert Decimal(account.cash) < Decimal(1_000_000) - 100 * Decimal(done.filled_avg_price) + 1
    assert [a["symbol"] for a in client.get("/account/activities/FILL")] == ["AAPL"]


def test_the_official_stream_hears_an_order_come_work_and_end(
    client: TradingClient, gateway: Running, hear_trades: Any
) -> None:
    numbers = count()

    def is_heard() -> bool:
        client.post("/orders", far_from_the_market(f"heard-{next(numbers)}"))
        return bool(heard)

    with hear_trades(gateway.url, gateway.key, gateway.secret) as heard:
        # Nobody is told that it listens.
        wait_for(is_heard)
        sent = client.post("/orders", far_from_the_market("heard"))
        client.cancel_order_by_id(sent["id"])
        wait_for(lambda: any(u.order.client_order_id == "heard" and u.event == "canceled" for u in heard))
    mine = [update for update in heard if update.order.client_order_id == "heard"]
    assert [update.event for update in mine] == ["pending_new", "new", "pending_cancel", "canceled"]
    assert {str(update.order.id) for update in mine} == {sent["id"]}
    assert mine[-1].order.status is OrderStatus.CANCELED


class Load:
    """Clients that ask one request after the other, over connections that stay open; every failure is kept."""

    def __init__(self, url: str, headers: dict[str, str], clients: int) -> None:
        self.failed: list[object] = []
        self.answered = 0
        self._ends = threading.Event()
        self._http = {"base_url": url, "headers": headers, "timeout": 30}
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        with httpx.Client(**self._http) as http:  # type: ignore[arg-type]
            while not self._ends.is_set():
                try:
                    told = http.get("/v2/clock")
                except httpx.HTTPError as error:
                    self.failed.append(error)
                else:
                    self.answered += told.status_code == 200
                    if told.status_code != 200:
                        self.failed.append((told.status_code, told.text))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()


def credentials(gateway: Running) -> dict[str, str]:
    return {"APCA-API-KEY-ID": gateway.key, "APCA-API-SECRET-KEY": gateway.secret}


def far_from_the_market(name: str) -> dict[str, str]:
    """An order that rests."""
    return {
        "symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": "30",
        "client_order_id": name,
    }  # fmt: skip


def send_and_kill(url: str, headers: dict[str, str], replica: str, names: list[str]) -> None:
    """Send an order under each name, and kill a replica after the fifth."""
    with httpx.Client(base_url=url, headers=headers, timeout=30) as writer:
        for number, name in enumerate(names):
            if number == 5:
                ray.kill(ray.get_actor(replica, "serve"))
            # Whoever gets no answer sends the same order again, under its id.
            wait_for(lambda name=name: is_sent(writer, name))  # type: ignore[misc]


def is_sent(http: httpx.Client, name: str) -> bool:
    """Whether an order was answered; where it was it has to be taken."""
    with suppress(httpx.HTTPError):
        told = http.post("/v2/orders", json=far_from_the_market(name))
        assert told.status_code in (200, *range(500, 600)), told.text
        return told.status_code == 200
    return False


def counted(http: httpx.Client) -> dict[tuple[str, str], float]:
    """Samples of a scrape by name and what tells them apart here."""
    told = http.get("/metrics")
    assert told.status_code == 200, told.text
    samples = [sample for family in text_string_to_metric_families(told.text) for sample in family.samples]
    names = ("status", "replica", "account")
    return {(s.name, next((s.labels[name] for name in names if name in s.labels), "")): s.value for s in samples}


@pytest.fixture
def keeper() -> Iterator[None]:
    """Jobs may be submitted and asked for; their keeper, where there is one, ends with the test."""
    yield
    with suppress(ValueError):
        jobs.stop()


@pytest.mark.usefixtures("keeper")
def test_scrapes_tell_what_all_replicas_have_counted_whichever_answers(gateway: Running) -> None:
    key, seen = ("http_requests_total", "404"), [0.0]
    with httpx.Client(base_url=gateway.url, timeout=30) as http:
        before = counted(http).get(key, 0.0)
        for _ in range(40):
            assert http.get("/nowhere").status_code == 404
            seen.append(counted(http).get(key, before) - before)
        assert seen == sorted(seen)
        wait_for(lambda: counted(http)[key] - before == 40)
        # One that an earlier test has killed takes a while to come back.
        wait_for(lambda: counted(http)["gateway_replicas", ""] >= 2)
        last = counted(http)
    assert len([name for name, _ in last if name == "process_resident_memory_bytes"]) >= 2
    assert (last["accounts_answered", ""], last["portfolio_value", "paper"] > 0) == (1, True)
    assert (last["keepers_answered", ""], ("jobs", "") in last) == (1, True)


@contextmanager
def followed(gateway: Running, new_follower: Any, last: str) -> Iterator[list[Any]]:
    """Clients of the stream who have heard all changes of orders once, in order, up to those of the last one."""

    def is_whole(heard: list[dict[str, Any]]) -> bool:
        return any(event["data"]["client_order_id"] == last for event in heard)

    url = gateway.url.replace("http", "ws") + "/stream/v1"
    followers = [new_follower(url, gateway.text, "orders", is_whole) for _ in range(8)]
    for follower in followers:
        follower.start()
    assert all(follower.ready.wait(60) for follower in followers)
    yield followers
    for follower in followers:
        follower.join(60)
        assert is_whole(follower.heard)
        numbers = [event["seq"] for event in follower.heard]
        assert (numbers, follower.gaps) == (list(range(numbers[0], numbers[0] + len(numbers))), [])


def test_a_replica_that_is_killed_under_load_costs_no_order_and_no_answer_to_a_client_that_repeats(
    client: TradingClient, gateway: Running, new_follower: Any
) -> None:
    wait_for(lambda: len(replicas()) == 2)
    names = [f"kill-{number}" for number in range(20)]
    with (
        followed(gateway, new_follower, names[-1]) as followers,
        Load(gateway.url, credentials(gateway), clients=2) as load,
    ):
        send_and_kill(gateway.url, credentials(gateway), replicas()[0], names)
    # Some who listened were cut off and came back, and the others noticed nothing.
    assert 0 < sum(bool(follower.ends) for follower in followers) < len(followers)
    assert {event["data"]["client_order_id"] for event in followers[0].heard} >= set(names)
    # What one replica had in hand when it died may be lost, and nothing else.
    assert len(load.failed) <= 2
    listed = client.get("/orders", {"status": "all", "limit": 500})
    mine = [order["client_order_id"] for order in listed if order["client_order_id"].startswith("kill-")]
    assert sorted(mine) == sorted(names)


class HalfSent:
    """An order of which half is sent: some replica has it in hand."""

    def __init__(self, gateway: Running, name: str) -> None:
        self._connection = HTTPConnection(gateway.url.removeprefix("http://"), timeout=30)
        self._body = json.dumps(far_from_the_market(name)).encode()
        self._connection.putrequest("POST", "/v2/orders")
        told = credentials(gateway) | {"Content-Type": "application/json", "Content-Length": str(len(self._body))}
        for header, value in told.items():
            self._connection.putheader(header, value)
        self._connection.endheaders(self._body[:20])

    def finish(self) -> int:
        """Send the rest; return the status of the answer."""
        self._connection.send(self._body[20:])
        status = self._connection.getresponse().status
        self._connection.close()
        return status


def test_an_update_under_load_fails_no_request_and_ends_none_that_was_begun(
    gateway: Running, new_follower: Any
) -> None:
    wait_for(lambda: len(replicas()) == 2)
    before = set(replicas())
    changed = gateway.settings.gateway.model_copy(update={"request_s": gateway.settings.gateway.request_s - 1})
    update = threading.Thread(
        target=serving.deploy, args=[gateway.settings.model_copy(update={"gateway": changed})]
    )  # fmt: skip
    with (
        followed(gateway, new_follower, "updated") as followers,
        Load(gateway.url, credentials(gateway), clients=3) as load,
    ):
        begun = [HalfSent(gateway, f"half-{number}") for number in range(2)]
        time.sleep(0.2)
        update.start()
        wait_for(lambda: bool(set(replicas()) - before))
        assert [order.finish() for order in begun] == [200, 200]
        # Who listens is told to go on at another replica: without that, old ones would wait for him for `drain_s`.
        update.join()
        wait_for(lambda: not before & set(replicas()))
        told = httpx.post(f"{gateway.url}/v2/orders", json=far_from_the_market("updated"), headers=credentials(gateway))
        assert told.status_code == 200
    assert {end for follower in followers for end in follower.ends} == {(1012, "replica_ends")}
    assert all(follower.ends for follower in followers)
    assert load.failed == []
    assert load.answered > 50


def wait_for(reached: Callable[[], bool], within_s: float = 60.0) -> None:
    ends = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_readiness_and_the_platforms_parts_answer_on_serve(gateway: Running) -> None:
    assert httpx.get(gateway.url + "/health/ready").text == "ready"
    found = httpx.get(gateway.url + "/openapi.json").json()
    assert {"/v2/orders", "/api/v1/auth/token", "/health"} <= found["paths"].keys()
    assert Path("deployments/gateway/serve.yaml").exists()


def test_what_serve_builds_from_a_file_begins_with_accounts_sessions_and_a_first_admin(tmp_path: Path) -> None:
    (tmp_path / live_sessions.FILE).touch()
    with AlpacaSimulator(requests_per_minute=100_000) as venue:
        given = {"access.folder": str(tmp_path / "access"), "state": str(tmp_path), "runs": str(tmp_path / "runs")}
        given |= {"gateway.accounts": "built", "gateway.symbols": "AAPL", "brokers.enabled": "built"}
        table = {"kind": "alpaca", "url": venue.url, "data_url": venue.url, "key": "PKSIMULATED"}
        given |= {f"brokers.built.{key}": value for key, value in (table | {"secret": "simulated-secret"}).items()}
        try:
            serving.build(given)
            kept = tmp_path / "access" / FILE
            gatekeeper = open_gatekeeper(load_settings(None, given, environ={}).access)
            assert gatekeeper.authenticate({"X-API-Key": kept.read_text().strip()}, "127.0.0.1").role is Role.ADMIN
            gatekeeper.close()
            assert ray.get(find_account("built").overview.remote()).name == "built"
            # Another update finds what is there, and leaves no second key.
            kept.unlink()
            serving.build(given)
            assert not kept.exists()
        finally:
            live_sessions.stop()
            stop_account("built")


def test_what_serve_builds_is_refused_on_a_ray_that_runs_anybodys_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(ServiceError, match="no token authentication"):
        serving.build({})


@pytest.mark.usefixtures("gateway")
def test_replicas_and_keepers_are_held_on_the_node_whose_folders_they_share() -> None:
    held = held_here()
    assert len(held) == 1
    (name,) = held
    assert any(name in node["Resources"] for node in ray.nodes() if node["Alive"])
    options = serving.serve_application(load_settings(None, {}, environ={}), held)._bound_deployment.ray_actor_options
    assert (options["num_cpus"], options["resources"]) == (0, held)
    # Both replicas and the stream stand there by that.
    wait_for(lambda: ray.cluster_resources()[name] - ray.available_resources()[name] >= 2.9 * HELD)


@pytest.mark.usefixtures("keeper")
def test_the_official_mcp_client_works_over_replicas_that_keep_no_session(gateway: Running) -> None:
    wait_for(lambda: len(replicas()) == 2)
    called: list[tuple[str, str]] = []
    for mode in ("auto", "legacy"):
        abandoned = anyio.run(assisted, gateway, mode)
        with httpx.Client(base_url=f"{gateway.url}/api/v1", headers=credentials(gateway), timeout=30) as http:
            wait_for(lambda http=http, job=abandoned: http.get(f"/jobs/{job}").json()["state"] == "cancelled")
        called += [("run_backtest", "ok"), ("optimize_strategy", "cancelled")]
        # The entry follows the cancellation.
        wait_for(lambda: len(calls_of_tools(gateway)) >= len(called))  # noqa: B023
        assert calls_of_tools(gateway) == called
    for body in (b"", b"{", b"[" * 50_000, b'{"jsonrpc":"2.0","id":1,"method":"no/such"}'):
        refused = httpx.post(f"{gateway.url}/mcp", content=body, headers=credentials(gateway) | JSON_OR_EVENTS)
        assert refused.status_code < 500


def calls_of_tools(gateway: Running) -> list[tuple[str, str]]:
    audit = (gateway.settings.access.folder / "audit" / "audit.jsonl").read_text(encoding="utf-8")
    entries = [entry["what"] for line in audit.splitlines() if (entry := json.loads(line))["action"] == "mcp.call"]
    return [(what["target"], what["outcome"]) for what in entries]


async def assisted(gateway: Running, mode: str) -> str:
    """Work as an assistant does, and go away while a job is at work; that job."""
    told: list[tuple[float, str]] = []
    begun = anyio.Event()

    async def heard(done: float, _: float | None, message: str | None) -> None:
        told.append((done, (message or "").partition(":")[0]))
        if told[-1][1].startswith("sweep"):
            begun.set()

    async with (
        httpx2.AsyncClient(headers=credentials(gateway), timeout=60) as http,
        Client(streamable_http_client(f"{gateway.url}/mcp", http_client=http), mode=mode) as client,  # type: ignore[arg-type]
    ):
        assert len((await client.list_tools()).tools) > 80
        backtest = {"strategy": "momentum", "symbols": ["KO"], "start": "2021-01-04"}
        done = (await client.call_tool("run_backtest", backtest, progress_callback=heard)).structured_content
        assert {job for _, job in told} == {done["job"]}
        assert told == sorted(told)
        job = json.loads((await client.read_resource(f"nt://jobs/{done['job']}")).contents[0].text)
        assert (job["owner"], job["result"]["run"]) == ("ann", done["run"])
        async with anyio.create_task_group() as group:
            endless = {"strategy": "pairs", "random": 10_000}
            group.start_soon(lambda: client.call_tool("optimize_strategy", endless, progress_callback=heard))
            await begun.wait()
            group.cancel_scope.cancel()
    return told[-1][1]


JSON_OR_EVENTS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
