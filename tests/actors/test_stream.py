"""The stream on the cluster: orders and fills of a live account, its money, and jobs, each in its channel."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import ray

from actors import jobs, stream
from actors.live_account import start, stop
from actors.live_handle import LiveHandle
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings
from nt_ray.trader.event_stream import Channel, Event, Followed, News
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trading.orders import OrderRequest, Side, TimeInForce

pytestmark = pytest.mark.usefixtures("ray_cluster")

PATIENCE_S = 40.0


@pytest.fixture
def account(tmp_path: Path) -> Iterator[LiveHandle]:
    with AlpacaSimulator(requests_per_minute=100_000) as simulator:
        table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
        values = {f"brokers.heard.{field}": value for field, value in table.items()}
        settings = load_settings(None, {"brokers.enabled": "heard", "state": str(tmp_path), **values}, environ={})
        start(SettingsPlan(settings, "heard", ("AAPL",)))
        yield LiveHandle("heard")
        stop("heard")


@pytest.fixture
def heard(account: LiveHandle) -> Iterator[Any]:
    yield stream.start()
    stream.stop()


class Ear:
    """Follows every channel, and keeps what it has heard."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.epoch = ""
        self.events: list[Event] = []

    def until(self, channel: Channel, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + PATIENCE_S
        while len(self.of(channel)) < count:
            after = {c: max((e.seq for e in self.events if e.news.channel == c), default=0) for c in Channel}
            found: Followed = ray.get(self.actor.follow.remote(after, self.epoch, 1.0))
            self.epoch = found.epoch
            self.events += found.events
            assert time.monotonic() < deadline, self.events
        return [json.loads(e.news.data) for e in self.of(channel)]

    def of(self, channel: Channel) -> list[Event]:
        return [event for event in self.events if event.news.channel == channel]


def test_orders_fills_money_and_jobs_are_heard_in_order(heard: Any, account: LiveHandle, tmp_path: Path) -> None:
    ear = Ear(heard)
    ear.until(Channel.RISK, 1)
    keeper = jobs.start(Settings(runs=tmp_path / "runs", state=tmp_path / "state"), 0)
    try:
        order = OrderRequest("one", "AAPL", Side.BUY, Decimal(3), "test", time_in_force=TimeInForce.GTC)
        account.call("submit", [order])
        (fill,) = ear.until(Channel.FILLS, 1)
        assert (fill["symbol"], fill["quantity"], fill["position"], fill["strategy"]) == ("AAPL", "3", "3", "test")
        orders = ear.until(Channel.ORDERS, 3)
        assert orders[-1]["status"] == "filled"
        assert [o["number"] for o in orders] == sorted(o["number"] for o in orders)
        assert {event.news.account for event in ear.of(Channel.ORDERS)} == {"heard"}
        money = ear.until(Channel.RISK, 2)
        assert Decimal(money[-1]["gross"]) > 0
        quote = ear.until(Channel.QUOTES, 1)[-1]
        assert Decimal(quote["price"]) == Decimal(fill["price"])
        job = ray.get(keeper.submit.remote({"kind": "backtest", "strategy": "momentum"}, "ann"))
        ray.get(keeper.cancel.remote(job.id))
        told = ear.until(Channel.JOBS, 2)
        assert [(t["job"], t["kind"]) for t in told] == [(job.id, "queued"), (job.id, "cancelled")]
    finally:
        jobs.stop()
    ray.get(heard.publish.remote([News(Channel.BARS, "2026-01-02T00:00:00+00:00", "KO", "", '{"close":"60"}')]))
    assert ear.until(Channel.BARS, 1) == [{"close": "60"}]
    for channel in Channel:
        seqs = [event.seq for event in ear.of(channel)]
        assert seqs == list(range(1, len(seqs) + 1))
