import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import event_peers, features_latency
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


def test_both_passes_of_the_features_benchmark_equal_the_vectorised_features() -> None:
    ticks = features_latency.random_ticks(3000)
    out = np.zeros((3000, features_latency.SIGNALS), dtype=np.int8)
    features_latency.signals(ticks, *features_latency.states(), out)
    assert np.array_equal(out, features_latency.expected(ticks))
    assert (out.any(axis=0)).all()
    features_latency.recursive_signals(ticks, *features_latency.recursive_states(), out)
    assert np.array_equal(out, features_latency.recursive_expected(ticks))


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


def test_a_peer_that_is_not_installed_is_left_out(tmp_path: Path) -> None:
    assert event_peers.peer("nautilus", tmp_path, tmp_path / "ticks.npy") is None
