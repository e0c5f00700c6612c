"""A strategy trades a live account on the cluster, whatever dies: the keeper, the account, both."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import ray
from typer.testing import CliRunner

from actors import live_account, live_sessions
from actors.calls import settle
from actors.live_handle import LiveHandle
from jobs.trade_command import trade_app
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings, load_settings
from nt_ray.errors import ConfigError, StrategyError
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.live_session import Condition
from nt_ray.trader.session_store import SessionOverlapError
from nt_ray.trader.watcher import Pace

pytestmark = pytest.mark.usefixtures("ray_cluster")

DAYS = 60
PACE = Pace(sync_s=2.0, hear_s=0.01)
PATIENCE_S = 60.0
WHO = ("--who", "Ann", "--reason", "trial")


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=100_000) as running:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for day in range(DAYS, 8, -1):
            rising(running, midnight, day)
        running.price("AAPL", "150")
        yield running


@pytest.fixture
def settings(simulator: AlpacaSimulator, tmp_path: Path) -> Settings:
    table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
    values = {f"brokers.paper.{field}": value for field, value in table.items()}
    return load_settings(None, {"brokers.enabled": "paper", "state": str(tmp_path), **values}, environ={})


def rising(simulator: AlpacaSimulator, midnight: datetime, day: int) -> None:
    """A bar of so many days ago: each is a little higher than the one before, and not by the same."""
    price = 100 + (DAYS - day) * 0.8 + (day % 3) * 0.3
    simulator.price("AAPL", f"{price:.2f}", time=(midnight - timedelta(days=day)).isoformat(), size="1000")


def when(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def by_hand(simulator: AlpacaSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person has set who types commands in this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NT_STATE", str(tmp_path))
    monkeypatch.setenv("NT_BROKERS__ENABLED", '["paper"]')
    table = {"url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret", "kind": "alpaca"}
    for field, value in table.items():
        monkeypatch.setenv(f"NT_BROKERS__PAPER__{field.upper()}", value)
    monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)


def command(*words: str) -> list[dict[str, Any]]:
    """Sessions that a command of `nt-ray trade` tells of."""
    done = CliRunner().invoke(trade_app, [*words, "--json"], catch_exceptions=False, standalone_mode=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)["sessions"]
    return found


@pytest.mark.usefixtures("by_hand")
def test_a_strategy_trades_on_through_the_deaths_of_its_keeper_and_its_account(
    simulator: AlpacaSimulator, settings: Settings
) -> None:
    account = live_account.start(SettingsPlan(settings, "paper", ("AAPL",)), PACE)
    keeper = live_sessions.start(settings, 0.1)

    def asked(method: str, *arguments: object) -> Any:
        def ask() -> Any:
            return getattr(live_sessions.find(), method).remote(*arguments)

        return settle(ask(), ask, "The keeper")

    def has_traded() -> bool:
        [told] = asked("statuses", "paper")
        return told.condition is Condition.TRADED

    try:
        start = ("start", "paper", "momentum", "--symbols", "AAPL", "--param")
        with pytest.raises(StrategyError, match="lookbak"):
            command(*start, "lookbak=20", *WHO)
        [begun] = command(*start, "lookback=20", *WHO)
        assert (begun["session"], begun["parameters"], begun["who"]) == ("momentum-1", {"lookback": 20}, "Ann")
        # Its newest bar is of last week.
        assert (begun["condition"], simulator.orders()) == ("late", [])
        with pytest.raises(SessionOverlapError, match="momentum-1 trades AAPL"):
            command(*start, "lookback=20", *WHO)
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for day in range(8, 0, -1):
            rising(simulator, midnight, day)
        when(lambda: bool(simulator.orders()))
        when(has_traded)
        sent = simulator.orders()
        assert [order["client_order_id"] for order in sent] == [f"momentum-1.{midnight:%Y%m%d}.0"]
        pid = ray.get(keeper.pid.remote())
        os.kill(ray.get(account.pid.remote()), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        when(has_traded)
        assert simulator.orders() == sent
        at = LiveHandle("paper")
        [order] = at.call("orders")
        assert (order.request.strategy, asked("pid") == pid) == ("momentum", False)
        assert [row["session"] for row in command("status", "paper")] == ["momentum-1"]
        assert command("status", "elsewhere") == []
        [told] = command("stop", "momentum-1", "--flatten")
        assert told["phase"] in ("closing", "ended")
        when(lambda: not at.call("sync").positions)
        assert [one["client_order_id"] for one in simulator.orders()][1:] == ["momentum-1.close.0"]
        when(lambda: command("status") == [])
    finally:
        live_sessions.stop()
        live_account.stop("paper")


@pytest.mark.usefixtures("by_hand")
def test_without_a_cluster_nothing_begins_that_would_end_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS")
    with pytest.raises(ConfigError, match="No cluster is named"):
        command("start", "paper", "momentum", *WHO)
