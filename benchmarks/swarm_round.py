"""Time of one live round of a swarm on this machine, by topology, beside the bare floor of empty actor calls.

Live means one bar a round. The floor is one empty call to each of the same hosts at once, measured in the
same run. A mesh of degree 16 agrees in fewer rounds than one of degree 8, for somewhat more messages
between agents; since a round between hosts costs far more than the sums inside them, the higher degree is
the faster one for a thousand agents. Memory is the proportional set size of this process and all its
descendants: Ray's own processes and the hosts.

    python -m benchmarks.swarm_round --agents 1000 --hosts 2 --rounds 60 --json round.json
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray

from actors.cluster import connect, disconnect
from actors.swarm_transport import RayTransport
from benchmarks.memory import tree_pss
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.strategies import registry
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.roster import symbol_groups
from nt_ray.swarm.rules import Mean
from nt_ray.swarm.swarm import Swarm, SwarmParams
from nt_ray.swarm.topology.base import Topology
from nt_ray.swarm.topology.hierarchical import Hierarchical
from nt_ray.swarm.topology.mesh import Mesh
from nt_ray.swarm.topology.ring import Ring
from nt_ray.swarm.topology.star import Star

SYMBOLS = 20
WARM_UP_BARS = 400
WARM_UP_ROUNDS = 10
DAY_NS = 86_400 * 10**9


def main() -> None:
    """Measure and print; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--degree", type=int, default=16, help="neighbours of each agent of the mesh")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    connect(None, num_cpus=None, object_store_mb=200)
    try:
        result = measure(options.agents, options.hosts, options.rounds, options.degree)
    finally:
        disconnect()
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def measure(agents: int, hosts: int, rounds: int, degree: int) -> dict[str, Any]:
    """Run all topologies over the same hosts."""
    panel = random_walk(WARM_UP_BARS + WARM_UP_ROUNDS + rounds)
    specs = momentum_agents(agents)
    transport = RayTransport(specs, panel, registry.find, hosts)
    topologies: list[Topology] = [Star(), Hierarchical(2), Ring(), Mesh(degree, epsilon=0.01)]
    rows = []
    for topology in topologies:
        swarm = Swarm(specs, transport, topology, Mean(), SwarmParams())
        # The hosts are taken back to the first bar, so that every topology decides the same bars.
        swarm.decide(0, WARM_UP_BARS)
        bars = iter(range(WARM_UP_BARS, len(panel)))
        times = timed(partial(decide_next, swarm, bars), rounds)
        stats = swarm.stats
        rows.append(
            {
                "topology": topology.name,
                **quantiles(times),
                "messages": stats.messages // stats.decisions,
                "rounds": stats.rounds / stats.decisions,
            }
        )
    floor = timed(lambda: ray.get([a.ping.remote() for a in transport.actors.values()]), rounds)
    memory = tree_pss(os.getpid())
    transport.close()
    return {
        "agents": agents,
        "hosts": hosts,
        "symbols": SYMBOLS,
        "rounds": rounds,
        "degree": degree,
        "cpus": os.cpu_count(),
        "floor": quantiles(floor),
        "topologies": rows,
        "memory_mb": memory / 2**20,
    }


def decide_next(swarm: Swarm, bars: Iterator[int]) -> None:
    """Decide the next bar."""
    bar = next(bars)
    swarm.decide(bar, bar + 1)


def timed(call: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds of each call after warm-up."""
    for _ in range(WARM_UP_ROUNDS):
        call()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1e3)
    return times


def quantiles(times: list[float]) -> dict[str, float]:
    return {"p50_ms": float(np.median(times)), "p95_ms": float(np.quantile(times, 0.95))}


def momentum_agents(count: int) -> tuple[AgentSpec, ...]:
    """Momentum agents over groups of five symbols, lookbacks spread from 20 to 250 bars."""
    strategy = registry.find("momentum")
    groups = symbol_groups(SYMBOLS, 5)
    specs = []
    for number in range(count):
        lookback = float(20 + number * 37 % 231)
        vector = tuple(float(v) for v in strategy.vector({"lookback": lookback}))
        specs.append(AgentSpec(number, f"momentum/{number}", "momentum", groups[number % len(groups)], vector))
    return tuple(specs)


def random_walk(bars: int) -> BarPanel:
    """A geometric random walk with a fixed seed: prices matter to no timing here."""
    random = np.random.default_rng(7)
    closes = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, (bars, SYMBOLS)), axis=0))
    values = np.repeat(closes[:, :, None], 5, axis=2)
    values[:, :, 4] = 1e6
    instruments = tuple(Instrument(f"S{i:02d}") for i in range(SYMBOLS))
    return BarPanel(instruments, np.arange(bars, dtype=np.int64) * DAY_NS, np.ascontiguousarray(values))


def table(result: dict[str, Any]) -> str:
    """Result as text."""
    head = f"{result['agents']} agents, {result['hosts']} hosts, {result['symbols']} symbols, one bar a round"
    lines = [head, f"{'topology':<14}{'p50 ms':>9}{'p95 ms':>9}{'messages':>10}{'rounds':>8}"]
    floor = {"topology": "floor", **result["floor"], "messages": result["hosts"], "rounds": 1.0}
    lines += [line(row) for row in (*result["topologies"], floor)]
    lines.append(f"memory of all processes: {result['memory_mb']:.0f} MB")
    return "\n".join(lines)


def line(row: dict[str, Any]) -> str:
    times = f"{row['p50_ms']:>9.2f}{row['p95_ms']:>9.2f}"
    return f"{row['topology']:<14}{times}{row['messages']:>10}{row['rounds']:>8.1f}"


if __name__ == "__main__":
    main()
