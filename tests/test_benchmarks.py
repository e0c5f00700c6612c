import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import event_peers, features_latency, risk, sweep, sweep_peers
from benchmarks.memory import Peak, family_of, pss, tree_pss

HELD = 60 << 20
CHILD = f"import sys; held = b'x' * {HELD}; print(len(held), flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}], check=True)"


def test_memory_of_a_tree_counts_its_children() -> None:
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("this kernel does not tell proportional set sizes")
    # A tree of its own: other children of this process come and go.
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        family = family_of(parent.pid)
        assert len(family) == 2
        assert pss(parent.pid) < HELD < tree_pss(parent.pid)
        with Peak(parent.pid, every_s=0.01) as peak:
            while peak.bytes < HELD:
                pass
        parent.communicate()
    assert pss(parent.pid) == 0


def test_every_pass_of_the_features_benchmark_equals_the_vectorised_features() -> None:
    ticks = features_latency.random_ticks(3000)
    out = np.zeros((3000, features_latency.SIGNALS), dtype=np.int8)
    features_latency.check(ticks, out)
    assert (out.any(axis=0)).all()


def test_the_features_benchmark_names_signals_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = features_latency.random_ticks(300)
    out = np.zeros((300, features_latency.SIGNALS), dtype=np.int8)
    monkeypatch.setattr(features_latency, "tick_expected", lambda _: np.ones_like(out))
    with pytest.raises(SystemExit, match="differ"):
        features_latency.check(ticks, out)


def test_the_order_task_fills_where_a_plain_loop_fills_it() -> None:
    ticks = event_peers.walk(2000)
    panel = event_peers.panel_of(ticks)
    runs = [event_peers.fills_of(call()) for call in event_peers.ours(panel).values()]
    assert runs[0] == runs[1] == by_hand(ticks)
    assert len(runs[0]) > 50


def by_hand(ticks: np.ndarray) -> list[list[int]]:
    fills, long, price = [], False, None
    for row, (_, _, low, close) in enumerate(ticks.tolist()):
        if price is not None and low <= price:
            fills.append([row, -1 if long else 1, price])
            long, price = not long, None
        if row % event_peers.EVERY == 0:
            price = close - (event_peers.STOP if long else event_peers.BELOW)
    return fills


def test_a_peer_that_is_not_installed_is_left_out_and_of_two_nautilus_the_older(tmp_path: Path) -> None:
    assert event_peers.installed(tmp_path) == {}
    for name in ("nautilus", "nautilus2"):
        program = tmp_path / name / "bin" / "python"
        program.parent.mkdir(parents=True)
        program.touch()
        assert list(event_peers.installed(tmp_path).values()) == [name]


def test_the_crossover_reference_is_a_plain_loop_over_bars() -> None:
    closes = sweep_peers.walk(400, 2, 0.02)
    pairs = np.array([[1, 2], [3, 7], [5, 20]])
    for exact in (True, False):
        found, orders = sweep_peers.reference(closes, pairs, 0.001, exact=exact)
        loops = [crossover(close, fast, slow, 0.001) for close in closes.T for fast, slow in pairs.tolist()]
        assert found == pytest.approx([equity for equity, _ in loops], rel=1e-9)
        assert orders == sum(count for _, count in loops) > 100


def crossover(close: np.ndarray, fast: int, slow: int, fees: float) -> tuple[float, int]:
    cash, units, count = 1e6, 0.0, 0
    ticks = [round(price * 1e4) for price in close.tolist()]
    for row in range(slow - 1, len(close)):
        lead = sum(ticks[row + 1 - fast : row + 1]) * slow - sum(ticks[row + 1 - slow : row + 1]) * fast
        if lead > 0 and units == 0.0:
            units, cash, count = cash / (close[row] * (1 + fees)), 0.0, count + 1
        elif lead < 0 and units != 0.0:
            units, cash, count = 0.0, units * close[row] * (1 - fees), count + 1
    return cash + units * close[-1], count


def test_both_ways_of_this_side_end_near_the_peers_rule_and_other_ends_are_refused() -> None:
    plan = sweep_peers.plans(20_000)["A"]
    tape = plan.tape()
    closes, pairs = np.asarray(plan.panel.closes), sweep_peers.pairs_of(plan)
    wanted, orders = sweep_peers.reference(closes, pairs, sweep_peers.fees_of(plan))
    answers = [sweep_peers.totals_only(plan, tape, 1), sweep_peers.recorded(plan, tape)]
    assert answers[0]["finals"] == answers[1]["finals"]
    for answer in answers:
        # An order of the last bar finds no bar to meet it.
        sweep_peers.check("this side", answer, wanted[None], orders - (answer["orders"] < orders))
        with pytest.raises(SystemExit, match="this side ends otherwise"):
            sweep_peers.check("this side", {**answer, "finals": [answer["finals"][0] * 1.01]}, wanted[None], orders)
        with pytest.raises(SystemExit, match="this side ends otherwise"):
            sweep_peers.check("this side", {**answer, "orders": 0}, wanted[None], orders)


def test_a_sweep_peer_that_is_not_installed_is_left_out(tmp_path: Path) -> None:
    with sweep_peers.peer("vectorbt", tmp_path, tmp_path / "data.npz") as ask:
        assert ask is None


PEER = """
import sys
sys.path.insert(0, {folder!r})
from service import serve
serve({{"double": lambda: {{"finals": [2.0], "orders": 1}}, "timed": lambda: {{"seconds": 0.5}}}})
"""


def test_a_peer_is_asked_for_one_task_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "some_sweep.py"
    program.write_text(PEER.format(folder=str(sweep_peers.PROGRAMS)))
    python = tmp_path / "some" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sweep_peers, "PROGRAMS", tmp_path)
    with sweep_peers.peer("some", tmp_path, tmp_path / "data.npz") as ask:
        assert ask is not None
        first, second = ask("double"), ask("timed")
        assert (first["finals"], first["orders"]) == ([2.0], 1)
        assert first["seconds"] >= 0.0
        assert second["seconds"] == 0.5
        assert second["peak_mb"] > 0.0


def test_the_c_floor_and_the_sweep_agree_on_every_total(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler here")
    found = sweep.beside_floor(sweep.Floor(tmp_path), sweep.plan_b(300), [1, 2], 1)
    assert [row["bars"] for row in found] == [300 * 20_000] * 2


RISK_PEER = """
import json, pathlib, sys
import numpy as np
sys.path.insert(0, {folder!r})
from service import serve
returns = np.load(pathlib.Path(sys.argv[1]) / "returns.npy")
assets = returns.shape[1]
def equal():
    return {{"seconds": 0.5, "cpu_seconds": 0.4, "weights": [1.0 / assets] * assets}}
serve({{"skfolio risk_parity": equal, "pypfopt minimum_variance": equal}})
"""


def test_every_problem_of_the_risk_benchmark_is_solved_and_set_beside_its_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = risk.measure(12, 120, 1, 1, tmp_path)
    assert len(without["not_installed"]) == 3
    for sides in without["cases"].values():
        assert list(sides) == ["nt-ray"]
        assert sides["nt-ray"]["broken"] < 1e-9
        assert sides["nt-ray"]["residual"] is None or sides["nt-ray"]["residual"] < 1e-8
    program = tmp_path / "risk_weights.py"
    program.write_text(RISK_PEER.format(folder=str(risk.PROGRAM.parent)))
    python = tmp_path / "risk" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # A link would be a Python without the packages of this one's environment.
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(risk, "PROGRAM", program)
    found = risk.measure(12, 120, 1, 2, tmp_path)["cases"]
    assert set(found["equal risk contributions"]) == {"nt-ray", risk.PEERS["skfolio"]}
    row = found["minimum variance"][risk.PEERS["pypfopt"]]
    assert row["gap"] > 0.0
    assert row["ratio"] == pytest.approx(500.0 / found["minimum variance"]["nt-ray"]["ms"])


def test_what_weights_break_is_the_worst_of_sum_shorts_and_cap() -> None:
    assert risk.broken(np.array([0.5, 0.5]), 0.5) == 0.0
    assert risk.broken(np.array([0.7, 0.5]), 1.0) == pytest.approx(0.2)
    assert risk.broken(np.array([1.3, -0.2, -0.1]), 2.0) == pytest.approx(0.3)
    assert risk.broken(np.array([0.6, 0.4]), 0.5) == pytest.approx(0.1)


def test_the_panel_of_the_risk_benchmark_is_the_same_each_time_and_has_fat_tails() -> None:
    returns = risk.panel(40, 300)
    assert np.array_equal(returns, risk.panel(40, 300))
    assert returns.min() > -1.0
    scores = (returns - returns.mean(axis=0)) / returns.std(axis=0)
    assert (scores**4).mean() > 4.0
