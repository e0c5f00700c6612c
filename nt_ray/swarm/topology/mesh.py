"""Mesh: every agent speaks with d neighbours only, and no agent matters more than another.

Linear rules gossip until all estimates of a bar agree within epsilon; the lowest agent's estimate is then
taken, as any other could be. A (bar, symbol) on which no agreement is reached in `max_rounds` is held.
Gathering rules flood the opinions. The graph and the schedule depend on the agents that take part and on
the seed, never on hosts or blocks; who takes part is known exactly, only opinions are estimated.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from nt_ray.swarm.failures import SwarmSetupError
from nt_ray.swarm.gossip import MASS_ONE, GossipSummary
from nt_ray.swarm.graph import regular_graph
from nt_ray.swarm.mesh_plan import MeshPlan
from nt_ray.swarm.messages import Ballot, Tally
from nt_ray.swarm.tally import mean_target, spread
from nt_ray.swarm.topology.base import Estimate, Outcome, Round, fetch
from nt_ray.swarm.transport import Ref
from nt_ray.types import BoolArray, IntArray

AHEAD = 4
"""Rounds sent before the first is waited for, so hosts never idle; at most three are in vain."""


class Mesh:
    """No single point of failure; the price is rounds."""

    name = "mesh"
    by_ballot = False

    def __init__(self, degree: int = 8, epsilon: float = 0.01, seed: int = 0, max_rounds: int = 96) -> None:
        if not 0.0 < epsilon < 1.0:
            raise SwarmSetupError(f"epsilon={epsilon} is impossible. Use a number between 0 and 1.")
        if max_rounds < 1:
            raise SwarmSetupError(f"max_rounds={max_rounds} must be at least 1.")
        regular_graph(2, degree, seed)
        self._degree = degree
        self._epsilon = epsilon
        self._seed = seed
        self._max_rounds = max_rounds
        self._sessions = count()

    def combine(self, work: Round) -> Outcome:
        """Gossip or flood until everybody knows enough."""
        owners = np.concatenate([np.full(len(work.answered[h]), h) for h in work.hosts])
        agents = np.concatenate([work.answered[h] for h in work.hosts])
        plan = MeshPlan(
            next(self._sessions), work.start, work.stop, agents, owners, work.hosts, self._degree, self._seed
        )
        exchange = _Exchange(work, plan)
        return self._flood(work, exchange) if work.gathers else self._gossip(work, exchange)

    def edges(self, members: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        """Edges of the graph when every agent takes part."""
        agents = [a for host in members for a in host]
        graph = regular_graph(len(agents), self._degree, self._seed)
        return [(agents[i], agents[j]) for i, j in graph.edges()]

    def _gossip(self, work: Round, exchange: "_Exchange") -> Outcome:
        bars = work.stop - work.start
        shape = (bars, work.transport.symbols)
        masses = np.zeros((3, *shape), dtype=np.int64)
        agreed = np.zeros(shape, dtype=np.bool_)
        open_bars = np.ones(bars, dtype=np.bool_)
        number = 0
        while open_bars.any() and number <= self._max_rounds:
            for summaries in exchange.rounds("gossip", AHEAD):
                now = self._agreement(summaries, len(exchange.plan.agents))
                # A bar is settled by the first round in which all its symbols agree, whatever the block.
                masses[:, open_bars] = summaries[0].first[:, open_bars]
                agreed[open_bars] = now[open_bars]
                open_bars &= ~now.all(axis=1)
                number += 1
                if not open_bars.any() or number > self._max_rounds:
                    break
        weight, weighted, squared = masses
        known = agreed & (weight > 0)
        exposures = np.where(known, mean_target(weight, weighted), np.nan)
        deviation = np.where(known, spread(weight, weighted, (squared * float(MASS_ONE)).astype(np.float64)), np.nan)
        nothing = Tally.empty(*shape)
        tally = Tally(nothing.weight, nothing.weighted, nothing.squared, _present(work))
        rounds = number - 1
        return Outcome(tally, None, Estimate(exposures, deviation), rounds * exchange.links, rounds)

    def _agreement(self, summaries: Sequence[GossipSummary], agents: int) -> BoolArray:
        """Where nobody votes at all, or everybody holds an estimate and these are within epsilon."""
        least = np.min([s.least for s in summaries], axis=0)
        greatest = np.max([s.greatest for s in summaries], axis=0)
        reached = np.sum([s.reached for s in summaries], axis=0)
        agreed: BoolArray = (reached == 0) | ((reached == agents) & (greatest <= least + self._epsilon))
        return agreed

    def _flood(self, work: Round, exchange: "_Exchange") -> Outcome:
        messages, rounds, done = 0, 0, False
        while not done:
            [summaries] = exchange.rounds("flood", 1)
            done = all(s.complete for s in summaries)
            if not done:
                messages += sum(s.messages for s in summaries)
                rounds += 1
        host = work.hosts[0]
        ref = work.transport.send(host, "flooded", exchange.plan.session)[0]
        ballot: Ballot = fetch(work, {"flooded": (host, ref)})["flooded"]
        return Outcome(ballot.tally, ballot.opinions, None, messages, rounds)


class _Exchange:
    """Rounds of parcels between hosts: each host sends one to every other in each round."""

    def __init__(self, work: Round, plan: MeshPlan) -> None:
        self.plan = plan
        self.links = int(plan.graph().degrees.sum())
        self._work = work
        self._number = 0
        self._parcels: dict[tuple[int, int], Ref] = {}
        self._opened = {h: work.transport.send(h, "open_mesh", plan, work.gathers)[0] for h in plan.hosts}

    def rounds(self, method: str, many: int) -> list[list[Any]]:
        """Run some rounds; the hosts' summaries of each, hosts ascending."""
        hosts = self.plan.hosts
        refs: dict[tuple[int, int], tuple[int, Ref]] = {(-1, h): (h, r) for h, r in self._opened.items()}
        self._opened = {}
        numbers = range(self._number, self._number + many)
        for number in numbers:
            sent: dict[tuple[int, int], Ref] = {}
            for host in hosts:
                others = [h for h in hosts if h != host]
                parcels = [self._parcels[(h, host)] for h in others] if number else []
                summary, *out = self._work.transport.send(
                    host, method, self.plan.session, number, *parcels, returns=len(hosts)
                )
                sent.update({(host, to): ref for to, ref in zip(others, out, strict=True)})
                refs[(number, host)] = (host, summary)
            self._parcels = sent
        self._number += many
        results = fetch(self._work, refs)
        return [[results[(number, h)] for h in hosts] for number in numbers]


def _present(work: Round) -> IntArray:
    """Agents that answered for each symbol, (K, N)."""
    present = np.zeros(work.transport.symbols, dtype=np.int64)
    for host, specs in work.transport.members.items():
        answered = set(work.answered[host].tolist()) if host in work.answered else set()
        for spec in specs:
            if spec.agent in answered:
                present[list(spec.symbols)] += 1
    return np.tile(present, (work.stop - work.start, 1))
