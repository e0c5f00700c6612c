"""The stream on the cluster: each channel hears what it should, and a stream that was killed misses nothing."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray.exceptions import RayError

from actors import jobs, stream
from actors.broadcasting import ToStream
from actors.live_account import start, stop
from actors.live_handle import LiveHandle
from actors.runtime import RayRuntime
from deployments.gateway.backend.stream import ActorSource
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings
from nt_ray.errors import ServiceError
from nt_ray.trader.event_stream import Channel, Event, Followed, News
from nt_ray.trader.facade import NeuralTrader
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.watcher import Pace
from nt_ray.trading.orders import OrderRequest, Side, TimeInForce

pytestmark = pytest.mark.usefixtures("ray_cluster")

PATIENCE_S = 40.0


@pytest.fixture(scope="module")
def venue() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=100_000) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def settings(ray_cluster: None, venue: AlpacaSimulator, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("stream")
    table = {"kind": "alpaca", "url": venue.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
    values = {f"brokers.heard.{field}": value for field, value in table.items()}
    values |= {"state": str(folder / "state"), "runs": str(folder / "runs")}
    return load_settings(None, {"brokers.enabled": "heard", **values}, environ={})


@pytest.fixture(scope="module")
def account(settings: Settings) -> Iterator[LiveHandle]:
    start(SettingsPlan(settings, "heard", ("AAPL", "MSFT")), Pace(sync_s=0.3, hear_s=0.02))
    yield LiveHandle("heard")
    stop("heard")


@pytest.fixture(scope="module")
def heard(account: LiveHandle, settings: Settings) -> Iterator[Any]:
    yield stream.start(settings)
    stream.stop()


@pytest.fixture(scope="module")
def keeper(settings: Settings) -> Iterator[Any]:
    yield jobs.start(settings, 0)
    jobs.stop()


class Ear:
    """Follows every channel from now on, and keeps what it hears; a stream that is away is asked again."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        found: Followed = ray.get(stream.find().follow.remote({}))
        self.epoch = found.epoch
        self.begun = {c: max((e.seq for e in found.events if e.news.channel == c), default=0) for c in Channel}

    def until(self, channel: Channel, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + PATIENCE_S
        while len(self.of(channel)) < count:
            after = {
                c: max((e.seq for e in self.events if e.news.channel == c), default=self.begun[c]) for c in Channel
            }
            assert time.monotonic() < deadline, self.events
            try:
                found: Followed = ray.get(stream.find().follow.remote(after, self.epoch, 1.0))
            except RayError:
                time.sleep(0.05)
                continue
            assert self.epoch == found.epoch, "another epoch: what happened between is lost"
            self.events += found.events
        return [json.loads(e.news.data) for e in self.of(channel)]

    def is_whole(self, channel: Channel) -> bool:
        """Whether every number is there once."""
        first = self.begun[channel] + 1
        return [event.seq for event in self.of(channel)] == list(range(first, first + len(self.of(channel))))

    def of(self, channel: Channel) -> list[Event]:
        return [event for event in self.events if event.news.channel == channel]


def order(name: str, quantity: int = 3) -> OrderRequest:
    return OrderRequest(name, "AAPL", Side.BUY, Decimal(quantity), "test", time_in_force=TimeInForce.GTC)


def test_orders_fills_money_prices_and_jobs_are_heard_in_order(
    heard: Any, account: LiveHandle, keeper: Any, venue: AlpacaSimulator
) -> None:
    ear = Ear()
    held = account.call("state").positions.get("AAPL", 0)
    account.call("submit", [order("one")])
    (fill,) = ear.until(Channel.FILLS, 1)
    assert (fill["symbol"], fill["quantity"], fill["strategy"]) == ("AAPL", "3", "test")
    assert Decimal(fill["position"]) == held + 3
    orders = ear.until(Channel.ORDERS, 3)
    assert orders[-1]["status"] == "filled"
    assert [o["number"] for o in orders] == sorted(o["number"] for o in orders)
    assert {event.news.account for event in ear.of(Channel.ORDERS)} == {"heard"}
    money = ear.until(Channel.RISK, 1)
    assert Decimal(money[-1]["gross"]) > 0
    # What is not held has a price too, and may have been asked for before it moves.
    venue.price("MSFT", "321.5")
    while ("MSFT", "321.50") not in (
        quotes := {(e.news.symbol, (q := json.loads(e.news.data))["price"]): q for e in ear.of(Channel.QUOTES)}
    ):
        ear.until(Channel.QUOTES, len(ear.of(Channel.QUOTES)) + 1)
    assert quotes["MSFT", "321.50"]["kind"] == "trade"
    job = ray.get(keeper.submit.remote({"kind": "backtest", "strategy": "momentum"}, "ann"))
    ray.get(keeper.cancel.remote(job.id))
    told = ear.until(Channel.JOBS, 2)
    assert [(t["job"], t["kind"]) for t in told] == [(job.id, "queued"), (job.id, "cancelled")]
    ray.get(
        stream.find().publish.remote(
            [News(Channel.DECISIONS, "2026-01-02T00:00:00+00:00", "KO", "", '{"target":"0.5"}')]
        )
    )
    assert ear.until(Channel.DECISIONS, 1) == [{"target": "0.5"}]
    assert all(ear.is_whole(channel) for channel in Channel)


def test_a_stream_that_is_killed_goes_on_and_no_order_fill_or_job_is_missing_or_double(
    heard: Any, account: LiveHandle, keeper: Any
) -> None:
    ear = Ear()
    account.call("submit", [order("before")])
    ray.get(keeper.submit.remote({"kind": "backtest", "strategy": "momentum"}, "ann", "before"))
    ear.until(Channel.FILLS, 1)
    ear.until(Channel.JOBS, 1)
    os.kill(ray.get(stream.find().pid.remote()), signal.SIGKILL)
    # It happens while nobody hears.
    for number in range(5):
        account.call("submit", [order(f"meanwhile-{number}", 4 + number)])
    ray.get(keeper.submit.remote({"kind": "backtest", "strategy": "momentum"}, "ann", "meanwhile"))
    fills = ear.until(Channel.FILLS, 6)
    account.call("submit", [order("after", 9)])
    fills = ear.until(Channel.FILLS, 7)
    names = ["before", *(f"meanwhile-{number}" for number in range(5)), "after"]
    assert [fill["client_order_id"] for fill in fills] == names
    first = ear.until(Channel.ORDERS, 1)[0]["number"]
    journal = [change.number for change in account.call("changes", first - 1).changes]
    assert [told["number"] for told in ear.until(Channel.ORDERS, len(journal))] == journal
    told = ear.until(Channel.JOBS, 2)
    assert told[1]["number"] == told[0]["number"] + 1
    assert all(ear.is_whole(channel) for channel in Channel)


def test_a_replica_finds_a_stream_again_that_was_ended_and_it_goes_on_in_its_numbers(
    heard: Any, settings: Settings
) -> None:
    async def run() -> None:
        source = ActorSource(settings)
        before = await source.follow({})
        ray.kill(stream.find())
        with pytest.raises(ServiceError):
            await ask_often(source, before.epoch)
        after = await source.follow({}, before.epoch)
        assert after.epoch == before.epoch
        assert [e for e in after.events if e.news.channel == Channel.FILLS][: len(before.events)] == [
            e for e in before.events if e.news.channel == Channel.FILLS
        ]

    async def ask_often(source: ActorSource, epoch: str) -> None:
        """Ask a stream that may answer a few more times before it is gone."""
        for _ in range(1_000):
            await source.follow({}, epoch)
            await asyncio.sleep(0.01)

    asyncio.run(run())


def test_a_swarm_run_tells_its_bars_and_what_each_agent_said_under_the_name_of_its_job(
    heard: Any, tmp_path: Path
) -> None:
    ear = Ear()
    values = {"data.symbols": "KO,PEP", "data.start": "2022-06-01", "runs": str(tmp_path), "swarm.hosts": "1"}
    settings = load_settings(None, {**values, "strategies.enabled": "momentum,mean_reversion"}, environ={})
    with NeuralTrader(settings, RayRuntime(source="run-17")) as trader:
        trader.execute_strategy()
        last = trader.panel.closes[-1].tolist()
        time_of_last = str(np.datetime64(int(trader.panel.timestamps[-1]), "ns"))[:19]
    while not any(told["time"].startswith(time_of_last) for told in ear.until(Channel.BARS, 2)):
        ear.until(Channel.BARS, len(ear.of(Channel.BARS)) + 1)
    bars = ear.until(Channel.BARS, 2)[-2:]
    assert [bar["close"] for bar in bars] == [repr(close) for close in last]
    decisions = ear.until(Channel.DECISIONS, 2)[-2:]
    assert {told["source"] for told in bars + decisions} == {"run-17"}
    assert {agent["strategy"] for told in decisions for agent in told["agents"]} == {"momentum", "mean_reversion"}


def test_a_run_goes_on_where_there_is_no_stream(heard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> None:
        raise ValueError("no actor")

    told = [News(Channel.BARS, "2026-01-02T00:00:00+00:00", "KO", "", "{}")]
    tell, ear = ToStream(), Ear()
    with monkeypatch.context() as patch:
        patch.setattr(stream, "find", nowhere)
        tell(told)
    monkeypatch.setattr("actors.broadcasting.LOOK_S", 0.0)
    tell._next = 0.0
    tell(told)
    # What came while there was none is not told later.
    assert len(ear.until(Channel.BARS, 1)) == 1
