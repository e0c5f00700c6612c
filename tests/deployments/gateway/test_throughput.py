"""Throughput mode as it is started: Ray Serve reads it when it is imported, so the gateway has a process of its own."""

import csv
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.roles import Role
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings

REPLICA = "ray::ServeReplica:gateway"
ORDERS, ASKING, LISTENING = 12, 4, 6
PATIENCE_S = 120.0
MOMENT_S = 0.2


@dataclass(frozen=True)
class Running:
    """`nt-ray serve gateway` in throughput mode, up."""

    url: str
    key: str
    access: Path
    process: "subprocess.Popen[str]"

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key, "NT-Account": "paper"}

    def replicas(self) -> list[psutil.Process]:
        """Processes of the replicas, oldest first."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return sorted((p for p in found if named(p).startswith(REPLICA)), key=lambda p: p.create_time())


def named(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def wait_for_both(port: int) -> None:
    """Wait until HAProxy distributes to both replicas."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        rows = csv.DictReader(httpx.get(f"http://127.0.0.1:{port}/stats;csv").text.lstrip("# ").splitlines())
        up = [row["svname"] for row in rows if row["status"].startswith("UP") and row["act"] == "1"]
        if len(set(up) - {"BACKEND"}) == 2:
            return
        assert time.monotonic() < ends, up
        time.sleep(0.1)


@pytest.fixture(scope="module")
def gateway(new_room: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two replicas before an account at the simulator of Alpaca; they end at a signal, without a complaint."""
    folder, room = tmp_path_factory.mktemp("throughput"), new_room()
    with AlpacaSimulator(requests_per_minute=100_000) as venue:
        values = {"gateway.throughput": "true", "gateway.replicas": "2", "gateway.port": str(room.port)}
        values |= {"access.folder": str(folder / "access"), "access.per_minute": "1000000"}
        values |= {"access.address_per_minute": "1000000", "state": str(folder), "runs": str(folder / "runs")}
        values |= {"gateway.accounts": "paper", "gateway.symbols": "AAPL", "brokers.enabled": "paper"}
        table = {"kind": "alpaca", "url": venue.url, "data_url": venue.url, "key": "PKSIMULATED"}
        values |= {f"brokers.paper.{key}": value for key, value in (table | {"secret": "simulated-secret"}).items()}
        command = [sys.executable, "-m", "jobs.cli", "serve", "gateway", "--json"]
        process = subprocess.Popen(
            [*command, *(part for key, value in values.items() for part in ("--set", f"{key}={value}"))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=room.environment,
        )  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        told = json.loads(line)
        wait_for_both(room.stats)
        yield Running(told["url"], told["admin_key"], folder / "access", process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0


def test_it_answers_with_credentials_and_refuses_without(gateway: Running) -> None:
    with httpx.Client(base_url=gateway.url, timeout=30) as http:
        assert http.get("/v2/clock").status_code == 401
        shown = http.get("/v2/clock", headers=gateway.headers)
        assert (shown.status_code, "is_open" in shown.json()) == (200, True)
        # Revoked by another process, a key that the replicas remember holds no longer at the next request.
        keeper = open_gatekeeper(load_settings(None, {"access.folder": str(gateway.access)}, environ={}).access)
        keeper.users.add("ann", Role.USER)
        key = keeper.keys.add("ann")
        header = {"X-API-Key": key.text}
        assert [http.get("/v2/clock", headers=header).status_code for _ in range(3)] == [200, 200, 200]
        keeper.keys.revoke(key.key.id)
        assert http.get("/v2/clock", headers=header).status_code == 401
        keeper.close()


def test_the_official_stream_hears_an_order_come_work_and_fill(gateway: Running, hear_trades: Any) -> None:
    keeper = open_gatekeeper(load_settings(None, {"access.folder": str(gateway.access)}, environ={}).access)
    keeper.users.add("bea", Role.USER)
    made = keeper.keys.add("bea", accounts={"paper"})
    keeper.close()
    order = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day"}
    with hear_trades(gateway.url, made.key.id, made.secret) as heard:
        ends, sent = time.monotonic() + PATIENCE_S, []
        while not any(update.event == "fill" for update in heard):
            assert time.monotonic() < ends
            told = httpx.post(f"{gateway.url}/v2/orders", json=order | {"qty": len(sent) + 1}, headers=gateway.headers)
            sent.append(told.json()["id"])
            time.sleep(MOMENT_S)
    name = next(str(update.order.id) for update in heard if update.event == "fill")
    mine = [update for update in heard if str(update.order.id) == name]
    assert [update.event for update in mine][-2:] == ["new", "fill"]
    assert (mine[-1].qty, mine[-1].price) == (sent.index(name) + 1, 100.0)


@dataclass(eq=False)
class Asking(threading.Thread):
    """One connection that stays open and asks without end; what fails is asked once more on a new one."""

    running: Running
    ends: threading.Event
    answered: int = 0
    failed: list[tuple[float, object]] = field(default_factory=list)
    """When each request that failed was begun, and how."""
    lost: list[object] = field(default_factory=list)
    """What failed when it was asked once more."""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._connection = self._connected()

    def run(self) -> None:
        while not self.ends.is_set():
            begun, failure = time.monotonic(), self._ask()
            if failure is None:
                self.answered += 1
                continue
            self.failed.append((begun, failure))
            # A process that dies closes its connections one after the other; clients that repeat wait a moment.
            time.sleep(MOMENT_S)
            self._connection.close()
            self._connection = self._connected()
            again = self._ask()
            if again is not None:
                self.lost.append(again)
        self._connection.close()

    def _connected(self) -> HTTPConnection:
        return HTTPConnection(self.running.url.removeprefix("http://"), timeout=30)

    def _ask(self) -> object | None:
        """What went wrong; None where nothing did."""
        try:
            self._connection.request("GET", "/v2/clock", headers=self.running.headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            return error
        return None if answer.status == 200 else (answer.status, text)


def send(http: httpx.Client, name: str) -> None:
    """Send an order that rests, and send it again under its id where there is no answer."""
    # No two are equal, since those of one second would be taken for a machine gone wild.
    price = str(85 + int(name.rpartition("-")[2]) / 100)
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": price}
    ends, status = time.monotonic() + PATIENCE_S, 0
    while status != 200:
        with suppress(httpx.HTTPError):
            told = http.post("/v2/orders", json=order | {"client_order_id": name})
            status = told.status_code
            assert status == 200 or status >= 500, told.text
        assert time.monotonic() < ends
        time.sleep(0.0 if status == 200 else MOMENT_S)


def are_all_there(names: list[str]) -> Callable[[list[dict[str, Any]]], bool]:
    def check(heard: list[dict[str, Any]]) -> bool:
        return {event["data"]["client_order_id"] for event in heard if event["data"]["status"] == "accepted"} >= set(
            names
        )

    return check


def test_a_killed_replica_takes_with_it_what_it_had_in_hand_and_no_more(gateway: Running, new_follower: Any) -> None:
    names = [f"kill-{number}" for number in range(ORDERS)]
    url = gateway.url.replace("http", "ws") + "/stream/v1"
    listening = [new_follower(url, gateway.key, "orders", are_all_there(names)) for _ in range(LISTENING)]
    over = threading.Event()
    asking = [Asking(gateway, over) for _ in range(ASKING)]
    for client in (*listening, *asking):
        client.start()
    assert all(client.ready.wait(PATIENCE_S) for client in listening)
    with httpx.Client(base_url=gateway.url, headers=gateway.headers, timeout=30) as http:
        for number, name in enumerate(names):
            if number == ORDERS // 3:
                victim = gateway.replicas()[0]
                victim.send_signal(signal.SIGKILL)
                victim.wait(PATIENCE_S)
                dead_at = time.monotonic()
            send(http, name)
        for client in listening:
            client.join(PATIENCE_S)
        over.set()
        for client in asking:
            client.join(PATIENCE_S)
        listed = http.get("/v2/orders", params={"status": "all", "limit": 500}).json()
    # Other tests have ordered here too.
    kept = [order["client_order_id"] for order in listed if order["client_order_id"].startswith("kill-")]
    assert sorted(kept) == sorted(names)
    assert all(client.answered > 20 for client in asking)
    # A connection has one request in hand, and one that was begun after the death fell into nobody's hand.
    assert [client.lost for client in asking] == [[]] * ASKING
    assert all(len(client.failed) <= 1 for client in asking)
    assert [failure for client in asking for failure in client.failed if failure[0] > dead_at] == []
    # Some listeners were cut off and the others noticed nothing; each heard every event once, in order.
    assert 0 < sum(bool(client.ends) for client in listening) < LISTENING
    assert not any(client.gaps for client in listening)
    for client in listening:
        numbers = [event["seq"] for event in client.heard]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert are_all_there(names)(client.heard)
