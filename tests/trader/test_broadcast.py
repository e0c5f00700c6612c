"""What a run tells: whole rows, few enough to read, the last one always, and what each agent said of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.config import load_settings
from nt_ray.market.bars import BarPanel
from nt_ray.market.source import load_panel
from nt_ray.strategies.registry import find
from nt_ray.swarm.agents import AgentGroup
from nt_ray.swarm.failures import HostFailure
from nt_ray.swarm.hearing import Hearing
from nt_ray.swarm.in_process import InProcessTransport
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, AgentSpec, Opinions
from nt_ray.swarm.roster import RosterParams, roster
from nt_ray.swarm.transport import Transport
from nt_ray.trader import broadcast
from nt_ray.trader.broadcast import Broadcast
from nt_ray.trader.event_stream import News
from nt_ray.trader.facade import NeuralTrader
from nt_ray.trader.runtime import InProcessRuntime
from nt_ray.trader.session import OnDecision

SYMBOLS = ("KO", "PEP", "XOM")


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    whole = load_panel("sp500", symbols=SYMBOLS)
    return BarPanel(whole.instruments, whole.timestamps[-200:], whole.values[-200:].copy(), name="short")


@pytest.fixture(scope="module")
def specs(panel: BarPanel) -> tuple[AgentSpec, ...]:
    variants = {name: {"default": {}} for name in ("momentum", "mean_reversion")}
    return roster(panel.symbols, RosterParams(group_size=2, variants=variants), find)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class LateTransport:
    """A transport whose hosts answer when the test says so."""

    def __init__(self, inner: InProcessTransport) -> None:
        self.inner = inner
        self.late: set[int] = set()
        self.dead: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def collect(self, refs: Mapping[Any, tuple[int, Any]], deadline: float) -> tuple[dict[Any, Any], dict[Any, Any]]:
        found, failures = self.inner.collect(refs, deadline)
        for key, (host, _) in refs.items():
            if host in self.late | self.dead:
                found.pop(key, None)
                failures[key] = HostFailure(host, "late" if host in self.late else "dead", "by the test")
        return found, failures


def oracle(panel: BarPanel, specs: Sequence[AgentSpec], bar: int) -> dict[tuple[str, int], tuple[float, float]]:
    """Opinion and weight by symbol and agent, from agents that were asked for one bar alone."""
    said, _ = AgentGroup(specs, panel.values, find).opinions(bar, bar + 1)
    cells = zip(said.agents, said.symbols, said.targets[0], said.weights[0], strict=True)
    return {(panel.symbols[s], int(a)): (t / TARGET_ONE, w / WEIGHT_ONE) for a, s, t, w in cells}


def told_of(told: Sequence[News], channel: str) -> list[dict[str, Any]]:
    return [{"symbol": one.symbol, **json.loads(one.data)} for one in told if one.channel == channel]


def test_what_is_told_of_a_bar_is_what_each_agent_says_when_asked_for_it_alone(
    panel: BarPanel, specs: tuple[AgentSpec, ...]
) -> None:
    transport = InProcessTransport(specs, panel.values, find, 3)
    sent: list[News] = []
    tell = Broadcast("run-7", panel, specs, transport, sent.extend, Clock(), owner="ann")
    for start in (100, 150):
        for host in transport.members:
            transport.send(host, "prepare", start, start + 50)
    tell(120, np.array([0.5, np.nan, -0.25]))
    tell(121, np.zeros(3))
    decisions = told_of(sent, "decisions")
    assert [(d["symbol"], d["target"], d["source"]) for d in decisions] == [
        ("KO", "0.5", "run-7"), ("PEP", None, "run-7"), ("XOM", "-0.25", "run-7"),
    ]  # fmt: skip
    said = {(d["symbol"], a["agent"]): (a["opinion"], a["weight"]) for d in decisions for a in d["agents"]}
    wanted = oracle(panel, specs, 120)
    assert said.keys() == wanted.keys()
    np.testing.assert_allclose(list(said.values()), [wanted[key] for key in said], atol=6e-7)
    names = {spec.agent: (spec.name, spec.strategy) for spec in specs}
    assert all((a["name"], a["strategy"]) == names[a["agent"]] for d in decisions for a in d["agents"])
    bars = told_of(sent, "bars")
    assert [b["close"] for b in bars] == [repr(close) for close in panel.closes[120].tolist()]
    assert {b["time"] for b in bars} == {d["bar_time"] for d in decisions}
    assert {one.owner for one in sent} == {"ann"}


def test_a_fast_replay_tells_so_many_events_a_second_and_no_more_and_its_last_row(
    panel: BarPanel, specs: tuple[AgentSpec, ...]
) -> None:
    transport = InProcessTransport(specs, panel.values, find, 1)
    clock, rows = Clock(), []

    def publish(told: Sequence[News]) -> None:
        rows.append((clock.now, len(told_of(told, "bars")), told_of(told, "bars")[0]["time"]))

    tell = Broadcast("run-7", panel, specs, transport, publish, clock)
    transport.send(0, "prepare", 0, len(panel))
    for row in range(len(panel)):
        clock.now = row * 0.001
        tell(row, np.zeros(3))
    seconds = len(panel) * 0.001
    assert 3 <= len(rows) <= 2 + seconds * broadcast.MOST_A_SECOND / len(SYMBOLS)
    times = [time for *_, time in rows]
    assert times == sorted(set(times))
    assert times[-1].startswith(np.datetime_as_string(panel.timestamps[-1:].astype("datetime64[ns]"), unit="s")[0])


def test_nobody_waits_for_a_host_that_is_slow_and_the_others_are_told_without_one_that_died(
    panel: BarPanel, specs: tuple[AgentSpec, ...]
) -> None:
    transport = LateTransport(InProcessTransport(specs, panel.values, find, 2))
    for host in transport.members:
        transport.send(host, "prepare", 0, 50)
    sent: list[News] = []
    clock = Clock()
    tell = Broadcast("run-7", panel, specs, transport, sent.extend, clock)
    transport.late = {0, 1}
    for row in range(40):
        clock.now = float(row)
        tell(row, np.zeros(3))
    assert sent == []
    transport.late, transport.dead = set(), {1}
    tell(41, np.zeros(3))
    decisions = told_of(sent, "decisions")
    assert {d["bar_time"][:10] for d in decisions} == {str(panel.timestamps[:1].astype("datetime64[ns]")[0])[:10]}
    heard = {a["agent"] for d in decisions for a in d["agents"]}
    assert heard == {spec.agent for spec in transport.members[0]}


def test_a_bar_that_a_host_has_left_behind_is_unknown_to_it(panel: BarPanel, specs: tuple[AgentSpec, ...]) -> None:
    transport: Transport = InProcessTransport(specs, panel.values, find, 1)
    for start in (0, 50, 100):
        transport.send(0, "prepare", start, start + 50)
    assert Hearing(transport, 49).opinions() == []
    known = Hearing(transport, 50).opinions()
    assert known is not None
    assert len(known) == 1


def test_only_agents_of_the_most_weight_are_told_where_there_are_very_many(panel: BarPanel) -> None:
    count = 5 * broadcast.MOST_AGENTS
    specs = [AgentSpec(n, f"a{n}", "momentum", (0,), ()) for n in range(count)]
    weights = np.random.default_rng(7).integers(0, 50, (1, count)) * 1000

    class Many:
        def __init__(self) -> None:
            self.members = {0: specs}

        def send(self, *_: object, **__: object) -> list[object]:
            return [None]

        def collect(self, *_: object) -> tuple[dict[int, Opinions], dict[int, HostFailure]]:
            agents = np.arange(count)
            return {0: Opinions(agents, agents * 0, np.zeros((1, count), np.int64), weights)}, {}

    sent: list[News] = []
    tell = Broadcast("run-7", panel, specs, Many(), sent.extend)  # type: ignore[arg-type]
    tell(len(panel) - 1, np.zeros(3))
    (decision,) = [d for d in told_of(sent, "decisions") if d["agents"]]
    told = [a["agent"] for a in decision["agents"]]
    assert len(told) == broadcast.MOST_AGENTS
    assert told == sorted(told)
    assert decision["agents_in_all"] == count
    left = np.delete(weights[0], told)
    assert weights[0][told].min() >= left.max()


def test_a_run_tells_what_it_traded_and_trades_the_same_as_one_that_nobody_watches(tmp_path: Path) -> None:
    values = {"data.symbols": "KO,PEP", "data.start": "2022-06-01", "runs": str(tmp_path), "swarm.hosts": "2"}
    settings = load_settings(None, {**values, "strategies.enabled": "momentum,mean_reversion"}, environ={})
    sent: list[News] = []

    class Watched(InProcessRuntime):
        def watch(
            self, run: str, panel: BarPanel, specs: Sequence[AgentSpec], transport: Transport
        ) -> OnDecision | None:
            return Broadcast(run, panel, specs, transport, sent.extend)

    with NeuralTrader(settings) as trader:
        alone = trader.execute_strategy()
    with NeuralTrader(settings, Watched()) as trader:
        watched = trader.execute_strategy()
        last = trader.panel.closes[-1].tolist()
    assert watched.summary["digest"] == alone.summary["digest"]
    assert [b["close"] for b in told_of(sent, "bars")][-2:] == [repr(close) for close in last]
    decisions = told_of(sent, "decisions")[-2:]
    assert {d["source"] for d in decisions} == {watched.folder.name}
    assert all(d["agents"] for d in decisions)
