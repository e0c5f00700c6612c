"""Sessions on Ray whose actors and processes are killed at random: trades, venue, journal and ledger stay the same."""

import os
import random
import signal
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
import ray

from actors.cluster import NAMESPACE
from actors.runtime import RayRuntime
from nt_ray.config import Settings, load_settings
from nt_ray.trader.chaos.run_audit import audit_run
from nt_ray.trader.facade import NeuralTrader

pytestmark = pytest.mark.usefixtures("ray_cluster")

ACCOUNTS = ("sim-east", "sim-west")
KILLS = 3


def settings(tmp_path: Path, name: str) -> Settings:
    fixed = {"runs": str(tmp_path / name), "data.start": "2008-06-01", "data.end": "2008-12-31", "swarm.hosts": "2"}
    return load_settings(None, fixed, environ={})


class Hunter:
    """Kills an account or the pool on random bars: the actor, or the process in which it lives."""

    def __init__(self, runs: Path, seed: int) -> None:
        self._runs = runs
        self._random = random.Random(seed)
        self._rows = set(self._random.sample(range(10, 140), KILLS))
        self.killed: list[str] = []

    def __call__(self, row: int, rows: int, equity: Decimal) -> None:
        if row not in self._rows:
            return
        run = next(p.name for p in self._runs.iterdir() if p.name != "latest")
        victim = self._random.choice([f"account/{run}/{name}" for name in ACCOUNTS] + [f"broker-pool/{run}"])
        way = self._random.choice(("actor", "process"))
        actor = ray.get_actor(victim, NAMESPACE)
        if way == "actor":
            ray.kill(actor, no_restart=False)
        else:
            os.kill(ray.get(actor.__ray_call__.remote(lambda _: os.getpid())), signal.SIGKILL)
        self.killed.append(f"{way} {victim.rsplit('/', 1)[1]}")


def test_a_session_whose_actors_and_processes_are_killed_at_random_trades_the_same(tmp_path: Path) -> None:
    with NeuralTrader(settings(tmp_path, "undisturbed")) as trader:
        undisturbed = trader.execute_strategy().summary["digest"]
    hunter = Hunter(tmp_path / "hunted", seed=2)
    with NeuralTrader(settings(tmp_path, "hunted"), RayRuntime()) as trader:
        run = trader.execute_strategy(on_bar=hunter)
    assert len(hunter.killed) == KILLS
    assert {kill.split()[0] for kill in hunter.killed} == {"actor", "process"}
    assert run.summary["digest"] == undisturbed
    for name in ACCOUNTS:
        found = audit_run(tmp_path / "hunted" / "latest", name)
        assert found.faults == ()
        assert found.executions > 100
    forget_an_execution(tmp_path / "hunted" / "latest" / "venue-sim-east.sqlite")
    found = audit_run(tmp_path / "hunted" / "latest", "sim-east")
    assert {fault.split()[0] for fault in found.faults} >= {"execution", "position"}


def forget_an_execution(book_path: Path) -> None:
    with closing(sqlite3.connect(book_path)) as book, book:
        book.execute("DELETE FROM executions WHERE number = (SELECT max(number) FROM executions)")
