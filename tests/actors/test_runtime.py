"""The trader on Ray: the same trades as in one process, also when actors die and a venue is down."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest
import ray

from actors.cluster import NAMESPACE
from actors.runtime import RayRuntime
from nt_ray.config import Settings, load_settings
from nt_ray.trader.facade import NeuralTrader

pytestmark = pytest.mark.usefixtures("ray_cluster")


def settings(tmp_path: Path, values: Mapping[str, object] | None = None) -> Settings:
    fixed = {"runs": str(tmp_path / "runs"), "data.start": "2008-06-01", "data.end": "2010-06-30"}
    return load_settings(None, {**fixed, **(values or {})}, environ={})


def digest_in_one_process(chosen: Settings) -> str:
    with NeuralTrader(chosen) as trader:
        return str(trader.execute_strategy().summary["digest"])


def test_a_run_on_ray_trades_as_one_process_does(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    with NeuralTrader(chosen, RayRuntime()) as trader:
        run = trader.execute_strategy()
        risk = trader.analyze_risk()
    assert run.summary["digest"] == digest_in_one_process(chosen)
    assert run.summary["runtime"]["runtime"] == "ray"
    assert run.summary["latency_ms"]["p99"] >= run.summary["latency_ms"]["p50"] > 0
    assert risk.expected_shortfall >= risk.value_at_risk


def test_a_venue_outage_fails_over_through_the_pool_as_it_does_in_one_process(tmp_path: Path) -> None:
    chosen = settings(tmp_path, {"brokers.sim-east.outage": [[150, 220]]})
    with NeuralTrader(chosen, RayRuntime()) as trader:
        run = trader.execute_strategy()
    assert run.summary["failovers"] == 1
    assert run.summary["digest"] == digest_in_one_process(chosen)


def test_killed_accounts_and_a_killed_pool_change_no_trade(tmp_path: Path) -> None:
    chosen = settings(tmp_path, {"brokers.sim-west.outage": [[200, 210]]})
    with NeuralTrader(chosen, RayRuntime()) as trader:
        run = trader.execute_strategy(on_bar=killer(tmp_path / "runs"))
    assert run.summary["digest"] == digest_in_one_process(chosen)


def killer(runs: Path) -> Callable[[int, int, Decimal], None]:
    """Kill an account at bars 60 and 206, the pool at bar 120; Ray restarts them."""
    victims = {60: "account/{run}/sim-east", 120: "broker-pool/{run}", 206: "account/{run}/sim-west"}

    def on_bar(row: int, rows: int, equity: Decimal) -> None:
        if row in victims:
            run = next(p.name for p in runs.iterdir() if p.name != "latest")
            ray.kill(ray.get_actor(victims[row].format(run=run), NAMESPACE), no_restart=False)

    return on_bar


def test_health_shows_nodes_and_accounts_while_a_run_is_on(tmp_path: Path) -> None:
    chosen = settings(tmp_path, {"data.end": "2008-12-31"})
    seen: list[dict[str, object]] = []
    with NeuralTrader(chosen, RayRuntime()) as trader:

        def on_bar(row: int, rows: int, equity: Decimal) -> None:
            if row == 50:
                seen.append(trader.health_check())

        trader.execute_strategy(on_bar=on_bar)
    (health,) = seen
    assert health["connected"] is True
    assert set(health["accounts"]) == {"sim-east", "sim-west"}
    assert all(a["up"] and a["circuit"] == "closed" and a["latency_ms"] > 0 for a in health["accounts"].values())
