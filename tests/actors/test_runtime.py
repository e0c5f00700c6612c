"""The trader on Ray: the same trades as in one process, also when actors die and a venue is down."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import ray

from actors.cluster import NAMESPACE
from actors.runtime import RayRuntime
from nt_ray.config import Settings, load_settings
from nt_ray.market.source import load_panel
from nt_ray.trader.facade import NeuralTrader

pytestmark = pytest.mark.usefixtures("ray_cluster")


OUTAGES = {"brokers.sim-east.outage": [[60, 90]], "brokers.sim-west.outage": [[120, 126]]}


def settings(folder: Path, values: Mapping[str, object] | None = None) -> Settings:
    fixed = {"runs": str(folder), "data.start": "2009-12-01", "data.end": "2010-06-30", "swarm.hosts": "2"}
    return load_settings(None, {**fixed, **(values or {})}, environ={})


def digest_in_one_process(chosen: Settings) -> str:
    with NeuralTrader(chosen) as trader:
        return str(trader.execute_strategy().summary["digest"])


@pytest.fixture(scope="module")
def with_outages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of a run in one process while one venue and then the other are down."""
    return digest_in_one_process(settings(tmp_path_factory.mktemp("outages"), OUTAGES))


def test_a_run_on_ray_trades_as_one_process_does_and_its_health_is_seen_meanwhile(tmp_path: Path) -> None:
    chosen = settings(tmp_path / "runs")
    seen: list[dict[str, Any]] = []
    with NeuralTrader(chosen, RayRuntime()) as trader:

        def on_bar(row: int, rows: int, equity: Decimal) -> None:
            if row == 50:
                seen.append(trader.health_check())

        run = trader.execute_strategy(on_bar=on_bar)
        risk = trader.analyze_risk()
    assert run.summary["digest"] == digest_in_one_process(chosen)
    assert run.summary["orders"] > 100
    assert run.summary["runtime"]["runtime"] == "ray"
    assert run.summary["latency_ms"]["p99"] >= run.summary["latency_ms"]["p50"] > 0
    assert risk.expected_shortfall >= risk.value_at_risk
    (health,) = seen
    assert health["connected"] is True
    assert set(health["accounts"]) == {"sim-east", "sim-west"}
    assert all(a["up"] and a["circuit"] == "closed" and a["latency_ms"] > 0 for a in health["accounts"].values())


def test_a_venue_outage_fails_over_through_the_pool_as_it_does_in_one_process(
    tmp_path: Path, with_outages: str
) -> None:
    with NeuralTrader(settings(tmp_path / "runs", OUTAGES), RayRuntime()) as trader:
        run = trader.execute_strategy()
    assert run.summary["failovers"] == len(OUTAGES)
    assert run.summary["digest"] == with_outages


def test_killed_accounts_and_a_killed_pool_change_no_trade(tmp_path: Path, with_outages: str) -> None:
    with NeuralTrader(settings(tmp_path / "runs", OUTAGES), RayRuntime()) as trader:
        run = trader.execute_strategy(on_bar=killer(tmp_path / "runs"))
    assert run.summary["digest"] == with_outages


def test_a_panel_in_the_place_of_one_that_is_gone_is_stored_as_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "put", lambda panel: panel.name)
    runtime = RayRuntime()
    whole = load_panel("sp500-index")
    for number in range(100):
        # Each takes the memory of the one before, unless that is held.
        panel = replace(whole, name=f"panel {number}")
        assert runtime._stored(panel) == runtime._stored(panel) == f"panel {number}"


def killer(runs: Path) -> Callable[[int, int, Decimal], None]:
    """Kill an account before the outages, the pool while one venue is down, the other account while its own is."""
    victims = {40: "account/{run}/sim-east", 75: "broker-pool/{run}", 123: "account/{run}/sim-west"}

    def on_bar(row: int, rows: int, equity: Decimal) -> None:
        if row in victims:
            run = next(p.name for p in runs.iterdir() if p.name != "latest")
            ray.kill(ray.get_actor(victims[row].format(run=run), NAMESPACE), no_restart=False)

    return on_bar
