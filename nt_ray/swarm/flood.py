"""Flooding: one host's part in spreading every opinion to every agent of a mesh, for rules that gather.

In a round each agent tells its neighbours what it learnt in the round before. An agent has learnt another's
opinion after as many rounds as there are edges between them, so all know all after as many rounds as the
graph is wide. Between two hosts each opinion travels once.
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.swarm.failures import LostStateError
from nt_ray.swarm.mesh_plan import MeshPlan
from nt_ray.swarm.messages import Opinions
from nt_ray.swarm.tally import join_opinions
from nt_ray.types import IntArray


@dataclass(frozen=True, slots=True)
class FloodSummary:
    """How far the news have come at one host after some rounds."""

    complete: bool
    """Every agent of the host has learnt every opinion."""
    messages: int
    """Messages that the host's agents send in the next round."""


class FloodNode:
    """The agents of one host during one session of flooding."""

    def __init__(self, host: int, plan: MeshPlan, opinions: Opinions) -> None:
        self.plan = plan
        self._known = opinions
        places = plan.places(host)
        graph = plan.graph()
        self._distances = graph.distances(places)
        self._degrees = graph.degrees[places]
        others = [h for h in plan.hosts if h != host]
        self._borders = [plan.border(host, h) - places[0] for h in others]
        self._sent = [np.zeros(len(plan.agents), dtype=np.bool_) for _ in others]
        self._round = 0

    def step(self, number: int, parcels: tuple[Opinions, ...]) -> tuple[FloodSummary, list[Opinions]]:
        """Take in the parcels of the round before and send what was learnt in it."""
        if number != self._round:
            raise LostStateError(f"Flood round {number} was asked for and this host stands at {self._round}.")
        news = [p for p in parcels if len(p.agents)]
        if news:
            self._known = self._with(news)
        self._round += 1
        heard = np.unique(self._known.agents)
        complete = bool((self._distances <= number).all()) and len(heard) == len(self.plan.agents)
        fresh = self._distances == number
        messages = int(self._degrees[fresh.any(axis=1)].sum())
        parcels_out = []
        for place, border in enumerate(self._borders):
            wanted = fresh[border].any(axis=0) & ~self._sent[place]
            self._sent[place] |= wanted
            parcels_out.append(self._of(self.plan.agents[wanted]))
        return FloodSummary(complete, messages), parcels_out

    def known(self) -> Opinions:
        """All opinions learnt so far."""
        return self._known

    def _with(self, news: list[Opinions]) -> Opinions:
        """Add opinions; one that came by two ways counts once."""
        fresh, heard = [], np.unique(self._known.agents)
        for parcel in news:
            kept = _choose(parcel, np.setdiff1d(parcel.agents, heard))
            heard = np.union1d(heard, kept.agents)
            fresh.append(kept)
        return join_opinions([self._known, *fresh])

    def _of(self, agents: IntArray) -> Opinions:
        return _choose(self._known, agents)


def _choose(opinions: Opinions, agents: IntArray) -> Opinions:
    columns = np.isin(opinions.agents, agents)
    return Opinions(
        opinions.agents[columns],
        opinions.symbols[columns],
        np.ascontiguousarray(opinions.targets[:, columns]),
        np.ascontiguousarray(opinions.weights[:, columns]),
    )
