"""The main job on a real cluster of three nodes: submitted as a job, and with a node and a host killed on the way."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nt_ray.config import load_settings
from nt_ray.trader.chaos.run_audit import audit_run
from nt_ray.trader.facade import NeuralTrader

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

REPOSITORY = Path(__file__).parent.parent.parent
PERIOD = {"data.start": "2009-01-01", "data.end": "2010-12-31"}


def digest_in_one_process(folder: Path, chosen: dict[str, str]) -> str:
    """Digest of the same run without Ray."""
    with NeuralTrader(load_settings(None, {**chosen, "runs": str(folder)}, environ={})) as trader:
        return str(trader.execute_strategy().summary["digest"])


def options_of(chosen: dict[str, str], runs: Path) -> list[str]:
    values = [f"--set={key}={value}" for key, value in chosen.items()]
    return ["--json", "--no-progress", "--runs", str(runs), "--hosts", "3", *values]


def test_a_submitted_job_on_three_nodes_trades_as_one_process_does(three_nodes, tmp_path: Path) -> None:
    chosen = {"data.start": "2007-01-01", "data.end": "2007-12-31", "strategies.enabled": "momentum"}
    runs = tmp_path / "runs"
    ray = str(Path(sys.executable).with_name("ray"))
    command = [ray, "job", "submit", "--address", three_nodes.dashboard, "--working-dir", str(REPOSITORY), "--"]
    done = submit([*command, sys.executable, "-m", "jobs.trade", *options_of(chosen, runs)])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    summary = json.loads((runs / "latest" / "summary.json").read_text())
    assert summary["runtime"] == {"runtime": "ray", "nodes": 3, "cpus": 6.0}
    assert summary["orders"] > 100
    assert summary["digest"] == digest_in_one_process(tmp_path / "undisturbed", chosen)
    unpacked = three_nodes.unpacked()
    assert len(unpacked) == 3
    for folder in unpacked:
        assert_nothing_was_compiled_there(folder)


def test_a_killed_node_a_killed_host_and_a_killed_account_change_no_trade(three_nodes, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    driver = three_nodes.driver(*options_of(PERIOD, runs))
    try:
        folder = wait_for(lambda: next(iter(runs.glob("*swarm*")), None), driver)
        journal = folder / "journal-sim-east.sqlite"
        wait_for(lambda: entries(journal) > 300, driver)
        hosting = [node for node in three_nodes.nodes[1:] if processes(node, "ray::AgentHost")]
        assert len(hosting) == 2, "the hosts of agents are not spread over the nodes"
        kill_processes(hosting[0], "ray::AgentHost")
        wait_for(lambda: entries(journal) > 900, driver)
        three_nodes.cluster.remove_node(hosting[-1], allow_graceful=False)
        wait_for(lambda: entries(journal) > 1800, driver)
        kill_processes(three_nodes.nodes[0], "ray::AccountActor")
        output, errors = driver.communicate(timeout=200)
    finally:
        driver.kill()
    assert driver.returncode == 0, output[-3000:] + errors[-3000:]
    summary = json.loads(output.splitlines()[-1])
    assert summary["repairs"] >= 1
    assert epochs(journal) >= 2, "the account must have started more than once"
    assert summary["digest"] == digest_in_one_process(tmp_path / "undisturbed", PERIOD)
    for account in ("sim-east", "sim-west"):
        assert_venue_and_journal_agree(folder, account)


def assert_nothing_was_compiled_there(folder: Path) -> None:
    """The compiled code that came with the source was good: none is newer than what was unpacked."""
    source = max(path.stat().st_mtime_ns for path in (folder / "nt_ray").rglob("*.py"))
    compiled = [path.stat().st_mtime_ns for path in (folder / "nt_ray" / "portfolio").rglob("*.nb[ci]")]
    assert compiled
    assert max(compiled) <= source


def submit(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Submit a job and wait for its end; a cluster just started may have no agent yet that takes it."""
    deadline = time.monotonic() + 60.0
    (line,) = re.findall(r"^export (RAY_RUNTIME_ENV.*)$", (REPOSITORY / "README.md").read_text(), flags=re.MULTILINE)
    environment = os.environ | dict(word.split("=") for word in line.split())
    while True:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        if "No available agent" not in done.stdout + done.stderr or time.monotonic() > deadline:
            return done
        time.sleep(1.0)


def wait_for(look, driver: subprocess.Popen[str], seconds: float = 120.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        if driver.poll() is not None:
            output, errors = driver.communicate()
            pytest.fail(f"the run ended too early: {output[-2000:]} {errors[-2000:]}")
        time.sleep(0.02)
    pytest.fail("the run did not get that far")


def query(path: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def entries(journal: Path) -> int:
    rows = query(journal, "SELECT max(seq) FROM events") if journal.exists() else []
    return (rows[0][0] or 0) if rows else 0


def epochs(journal: Path) -> int:
    return int(query(journal, "SELECT max(epoch) FROM epochs")[0][0])


def processes(node, name: str) -> list[int]:
    """Ids of the worker processes of a node that run this actor."""
    raylet = node.all_processes["raylet"][0].process.pid
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            parent = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if command.startswith(name) and parent == raylet:
            found.append(int(process.name))
    return found


def kill_processes(node, name: str) -> None:
    """Kill -9 every worker process of a node that runs this actor."""
    found = processes(node, name)
    assert found, f"no {name} runs on this node"
    for process in found:
        os.kill(process, signal.SIGKILL)


def assert_venue_and_journal_agree(folder: Path, account: str) -> None:
    from decimal import Decimal

    import polars as pl

    from nt_ray.brokers.simulated.exchange import SimulatedExchange
    from nt_ray.brokers.simulated.matching import Costs
    from nt_ray.market.source import load_panel

    trades = pl.read_parquet(folder / "trades.parquet").filter(pl.col("account") == account)
    venue = SimulatedExchange(account, load_panel("sp500"), Costs(), folder / f"venue-{account}.sqlite")
    executions = venue.fills(None)
    venue.close()
    assert len({f.execution_id for f in executions}) == len(executions) == trades.height
    booked = sorted((r["client_order_id"], Decimal(r["quantity"])) for r in trades.iter_rows(named=True))
    assert booked == sorted((f.client_order_id, f.quantity) for f in executions)
    assert audit_run(folder, account).faults == ()
