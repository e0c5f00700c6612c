"""The account's actor dies while an order is under way: the client hears of it, and the venue has it once."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import ray

from actors.live_account import find, start, stop
from deployments.gateway.backend.accounts import ActorAccounts
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.watcher import Pace

pytestmark = pytest.mark.usefixtures("ray_cluster")

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture
def account(plan: SettingsPlan) -> Iterator[int]:
    """The process of the account's actor."""
    yield ray.get(start(plan, Pace(sync_s=0.5, hear_s=0.02)).pid.remote())
    stop(plan.name)


def test_an_order_whose_account_is_killed_is_answered_and_at_the_venue_once(
    open_desk: Any, account: int, plan: SettingsPlan, simulator: AlpacaSimulator
) -> None:
    desk = open_desk(accounts=ActorAccounts(90.0))
    # The venue has the first order, and its answer does not come before the account is dead.
    simulator.fault("delay", seconds=3.0, method="POST")
    arrived = threading.Event()

    def send(name: str) -> httpx.Response:
        with desk.client(timeout=120) as http:
            arrived.set()
            return http.post("/v2/orders", json=ORDER | {"client_order_id": name})

    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(send, name) for name in ("a", "b")]
        assert arrived.wait(10)
        deadline = time.monotonic() + 40
        while not simulator.orders():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(account, signal.SIGKILL)
        answers = [future.result(120) for future in sent]
    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    assert ray.get(find(plan.name).pid.remote()) != account
    with desk.client() as http:
        # What was written down and may not have been sent is in doubt until it had time to arrive, or is sent then.
        ended = {name: settled(http, name, deadline + 60) for name in ("a", "b")}
        at_venue = Counter(order["client_order_id"] for order in simulator.orders())
        assert set(at_venue.values()) == {1}
        for name, answer in zip(ended, answers, strict=True):
            assert ended[name]["id"] == answer.json()["id"]
            assert (ended[name]["status"] == "filled") is (name in at_venue)
            again = http.post("/v2/orders", json=ORDER | {"client_order_id": name})
            assert (again.status_code == 200) is (name in at_venue)
    assert Counter(order["client_order_id"] for order in simulator.orders()) == at_venue


def settled(http: httpx.Client, name: str, deadline: float) -> Any:
    """Return an order once it has ended."""
    while (order := found(http, name))["status"] not in ("filled", "rejected"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return order


def found(http: httpx.Client, name: str) -> Any:
    return http.get("/v2/orders:by_client_order_id", params={"client_order_id": name}).json()
