"""What a host does: lets its agents vote, merges ballots, carries the baton, gossips.

One object for every transport: the in-process one calls it, the cluster's actor wraps it. Voting and
merging may be asked again and give the same answer; gossip that a restarted host does not remember raises
`LostStateError`.
"""

import os
from collections.abc import Callable, Sequence

import numpy as np

from nt_ray.strategies.base import Strategy
from nt_ray.swarm.agents import AgentGroup, PlainAgent
from nt_ray.swarm.baton import carry
from nt_ray.swarm.failures import LostStateError
from nt_ray.swarm.flood import FloodNode, FloodSummary
from nt_ray.swarm.gossip import GossipNode, GossipSummary
from nt_ray.swarm.mesh_plan import MeshPlan
from nt_ray.swarm.messages import AgentSpec, Ballot, Baton, Opinions, Receipt, Report
from nt_ray.swarm.tally import join_ballots, tally_of
from nt_ray.types import FloatArray, IntArray


class Host:
    """Agents of one host and the part it plays in each topology."""

    def __init__(
        self,
        number: int,
        specs: Sequence[AgentSpec],
        values: FloatArray,
        find: Callable[[str], Strategy],
        plain: dict[int, PlainAgent] | None = None,
        fields: Sequence[str] = (),
    ) -> None:
        self.number = number
        self._group = AgentGroup(specs, values, find, plain, fields)
        self._gossip: GossipNode | None = None
        self._flood: FloodNode | None = None
        self._defers = {s.agent for s in specs if s.defers}

    def ping(self) -> int:
        """Answer with the host's number."""
        return self.number

    def pid(self) -> int:
        """Process in which this host lives."""
        return os.getpid()

    def append(self, values: FloatArray) -> None:
        """Add new bars to the panel."""
        self._group.append(values)

    def report(self) -> Report:
        """Running results of the agents."""
        return self._group.report()

    def prepare(self, start: int, stop: int) -> Receipt:
        """Let the agents answer for a block; the opinions stay here."""
        opinions, silent = self._group.opinions(start, stop)
        return Receipt(self.number, np.unique(opinions.agents), silent)

    def vote(self, start: int, stop: int, with_opinions: bool) -> tuple[Receipt, Ballot]:
        """Let the agents answer for a block, with the ballot to be merged elsewhere."""
        receipt = self.prepare(start, stop)
        opinions, _ = self._group.opinions(start, stop)
        tally = tally_of(opinions, self._group.symbols)
        return receipt, Ballot(tally, opinions if with_opinions else None)

    def said(self, bar: int) -> Opinions:
        """What the agents said for a bar of the blocks last asked for."""
        return self._group.said(bar)

    def merge(self, *ballots: Ballot) -> Ballot:
        """Merge ballots of disjoint sets of agents."""
        return join_ballots(ballots)

    def carry(
        self,
        start: int,
        stop: int,
        with_opinions: bool,
        baton: Baton | None,
    ) -> tuple[int, Baton]:
        """Pass the baton through this host's agents; also say who did."""
        opinions, _ = self._group.opinions(start, stop)
        defers = np.isin(opinions.agents, list(self._defers))
        return self.number, carry(baton, opinions, defers, self._group.symbols, keep_opinions=with_opinions)

    def open_mesh(self, plan: MeshPlan, gathers: bool) -> int:
        """Begin a session of flooding, for rules that gather, or else of gossip."""
        opinions, _ = self._group.opinions(plan.start, plan.stop)
        self._gossip = self._flood = None
        if gathers:
            self._flood = FloodNode(self.number, plan, opinions)
        else:
            self._gossip = GossipNode(self.number, plan, opinions, self._group.symbols)
        return self.number

    def gossip(
        self, session: int, number: int, *parcels: IntArray
    ) -> GossipSummary | Sequence[GossipSummary | IntArray]:
        """Do one round of gossip: a summary, then a parcel for each other host if there is any."""
        node = self._gossip
        if node is None or node.plan.session != session:
            raise LostStateError(f"This host remembers no gossip session {session}.")
        summary, out = node.step(number, parcels)
        return [summary, *out] if out else summary

    def flood(self, session: int, number: int, *parcels: Opinions) -> FloodSummary | Sequence[FloodSummary | Opinions]:
        """Do one round of flooding: a summary, then a parcel for each other host if there is any."""
        summary, out = self._flooding(session).step(number, parcels)
        return [summary, *out] if out else summary

    def flooded(self, session: int) -> Ballot:
        """Everything this host has learnt by flooding."""
        known = self._flooding(session).known()
        return Ballot(tally_of(known, self._group.symbols), known)

    def _flooding(self, session: int) -> FloodNode:
        if self._flood is None or self._flood.plan.session != session:
            raise LostStateError(f"This host remembers no flood session {session}.")
        return self._flood
