import os
import signal
import time
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import ray

from actors.host import AgentHost
from actors.swarm_transport import RayTransport
from nt_ray.errors import ServiceError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.strategies import registry
from nt_ray.swarm.hedge import Hedge
from nt_ray.swarm.in_process import InProcessTransport
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.rules import Mean, Median
from nt_ray.swarm.swarm import Swarm, SwarmParams
from nt_ray.swarm.topology.hierarchical import Hierarchical
from nt_ray.swarm.topology.mesh import Mesh
from nt_ray.swarm.topology.ring import Ring
from nt_ray.swarm.topology.star import Star

BARS, SYMBOLS, BLOCK = 240, 4, 60
TOPOLOGIES = {"star": Star, "hierarchical": lambda: Hierarchical(2), "ring": Ring, "mesh": lambda: Mesh(4)}


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    random = np.random.default_rng(17)
    closes = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, (BARS, SYMBOLS, 1)), axis=0))
    instruments = tuple(Instrument(f"S{i}") for i in range(SYMBOLS))
    times = np.arange(BARS, dtype=np.int64) * 86_400 * 10**9
    return BarPanel(instruments, times, np.ascontiguousarray(closes * np.ones(5)))


@pytest.fixture(scope="module")
def specs() -> tuple[AgentSpec, ...]:
    strategy = registry.find("momentum")
    made = []
    for i in range(12):
        vector = tuple(float(v) for v in strategy.vector({"lookback": 10.0 + 5 * i}))
        made.append(AgentSpec(i, f"momentum/{i}", "momentum", (i % 4, (i + 1) % 4), vector))
    return tuple(made)


@pytest.fixture
def started(ray_cluster, specs, panel):
    opened = []

    def start(hosts=3, **options):
        transport = RayTransport(specs, panel, registry.find, hosts, name=f"test-{uuid4().hex[:6]}", **options)
        opened.append(transport)
        return transport

    yield start
    for transport in opened:
        transport.close()


@pytest.fixture(scope="module")
def shared(ray_cluster, specs, panel):
    transport = RayTransport(specs, panel, registry.find, 3, name=f"test-{uuid4().hex[:6]}")
    yield transport
    transport.close()


def expected(specs, panel, rule):
    swarm = Swarm(specs, InProcessTransport(specs, panel.values, registry.find), Star(), rule)
    return swarm.decide(0, BARS).exposures


def blocks():
    return [(start, start + BLOCK) for start in range(0, BARS, BLOCK)]


@pytest.mark.parametrize("topology", ["star", "hierarchical", "ring"])
def test_decisions_on_actors_are_the_bits_of_one_process(shared, specs, panel, topology):
    swarm = Swarm(specs, shared, TOPOLOGIES[topology](), Mean())
    got = np.concatenate([swarm.decide(a, b).exposures for a, b in blocks()])
    assert np.array_equal(got, expected(specs, panel, Mean()), equal_nan=True)


def test_a_mesh_of_actors_gossips_to_within_epsilon_and_floods_exactly(shared, specs, panel):
    gossip = Swarm(specs, shared, Mesh(4, 0.01), Mean()).decide(100, 110).exposures
    mean = expected(specs, panel, Mean())[100:110]
    assert np.array_equal(np.isnan(gossip), np.isnan(mean))
    assert np.nanmax(np.abs(gossip - mean)) <= 0.01
    flooded = Swarm(specs, shared, Mesh(4), Median()).decide(100, 110).exposures
    assert np.array_equal(flooded, expected(specs, panel, Median())[100:110], equal_nan=True)


def kill_by_ray(transport, host):
    ray.kill(transport.actors[host], no_restart=False)


def kill_by_signal(transport, host):
    pid = ray.get(transport.actors[host].pid.remote())
    os.kill(pid, signal.SIGKILL)
    while lives(pid):
        time.sleep(0.01)


def lives(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("topology", "kill"),
    [("hierarchical", kill_by_signal), ("ring", kill_by_ray), ("mesh", kill_by_signal)],
)
def test_killed_hosts_change_no_decision_when_strict(started, specs, panel, topology, kill):
    rule = Median() if topology == "mesh" else Hedge(len(specs), panel.values)
    fresh = Median() if topology == "mesh" else Hedge(len(specs), panel.values)
    transport = started(2)
    swarm = Swarm(specs, transport, TOPOLOGIES[topology](), rule, SwarmParams(deadline=60.0))
    parts = []
    for number, (start, stop) in enumerate(blocks()):
        if number in (1, 2):
            kill(transport, number - 1)
        parts.append(swarm.decide(start, stop).exposures)
        if stop < BARS:
            swarm.prefetch(stop, stop + BLOCK)
            if number == 2:
                kill(transport, 0)
    assert np.array_equal(np.concatenate(parts), expected(specs, panel, fresh), equal_nan=True)
    assert swarm.stats.repairs >= 2
    assert swarm.stats.silent == 0


def test_without_strictness_a_dead_host_is_left_out_and_back_in_the_next_round(started, specs):
    transport = started(2)
    swarm = Swarm(specs, transport, Star(), Mean(), SwarmParams(strict=False, quorum=0.1, deadline=60.0))
    assert swarm.decide(0, 10).stats.silent == 0
    kill_by_signal(transport, 0)
    assert swarm.decide(10, 20).stats.silent == 6
    assert swarm.decide(20, 30).stats.silent == 0


def test_a_late_host_is_left_out_at_the_deadline(started, specs):
    transport = started(2)
    swarm = Swarm(specs, transport, Star(), Mean(), SwarmParams(strict=False, quorum=0.1, deadline=2.0))
    swarm.decide(0, 10)
    pid = ray.get(transport.actors[1].pid.remote())
    os.kill(pid, signal.SIGSTOP)
    try:
        assert swarm.decide(10, 20).stats.silent == 6
    finally:
        os.kill(pid, signal.SIGCONT)


def test_bars_added_live_reach_hosts_that_are_started_later(started, specs, panel):
    transport = started(2)
    swarm = Swarm(specs, transport, Ring(), Mean(), SwarmParams(deadline=60.0))
    swarm.decide(0, BARS)
    more = panel.values[-1:] * 1.01
    swarm.append(more)
    kill_by_signal(transport, 1)
    got = swarm.decide(BARS, BARS + 1).exposures
    longer = np.concatenate([panel.values, more])
    local = Swarm(specs, InProcessTransport(specs, longer, registry.find), Star(), Mean())
    assert np.array_equal(got, local.decide(BARS, BARS + 1).exposures, equal_nan=True)


def test_hosts_that_cannot_start_are_an_error_with_the_cause(ray_cluster, panel):
    lame = [AgentSpec(0, "lame", "momentum", (0,), ())]
    with pytest.raises(ServiceError, match="parameters"):
        RayTransport(lame, panel, registry.find, 1)


def test_an_error_in_the_platforms_own_code_is_raised_and_not_repaired(shared):
    [ref] = shared.send(0, "merge", 7)
    with pytest.raises(AttributeError):
        shared.collect({"x": (0, ref)}, 30.0)


class MisplacedTransport(RayTransport):
    """Its second host begins on a node that does not find the job's files."""

    def _start(self, number, specs):
        if number == 1 and number not in self._generations:
            self._generations[number] = 0
            misplaced = AgentHost.options(runtime_env={"working_dir": "gcs://_ray_pkg_0123456789abcdef.zip"})
            return misplaced.remote(number, specs, self._panel_ref, self._find, self._added)
        return super()._start(number, specs)


def test_a_host_whose_node_does_not_find_the_files_of_the_job_is_started_again(ray_cluster, specs, panel):
    transport = MisplacedTransport(specs, panel, registry.find, 2)
    try:
        assert len(ray.get([actor.ping.remote() for actor in transport.actors.values()])) == 2
        assert transport._generations == {0: 0, 1: 1}
    finally:
        transport.close()
