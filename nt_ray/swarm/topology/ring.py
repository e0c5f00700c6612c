"""Ring: a baton passes from agent to agent; each adds its voice to the running decision.

An agent that defers may revise what it was about to say when it sees the baton. A dead host is passed over,
so the ring closes without it.
"""

from collections.abc import Sequence
from itertools import pairwise

from nt_ray.swarm.messages import Baton
from nt_ray.swarm.topology.base import Outcome, Round, fetch
from nt_ray.swarm.transport import Ref


class Ring:
    """For pipelines of specialists; as many hops as agents."""

    name = "ring"
    by_ballot = False

    def combine(self, work: Round) -> Outcome:
        """Pass the baton once round all hosts in order; each hop leaves a token of who has answered."""
        baton: Ref = None
        refs = {}
        for host in work.hosts:
            token, baton = work.transport.send(host, "carry", work.start, work.stop, work.gathers, baton, returns=2)
            refs[("token", host)] = (host, token)
        last = work.hosts[-1]
        result: Baton = fetch(work, {**refs, "baton": (last, baton)})["baton"]
        hops = len(work.agents)
        return Outcome(result.tally, result.opinions, None, hops, hops)

    def edges(self, members: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        """Each agent with the next, and the last with the first."""
        agents = [a for host in members for a in host]
        hops = list(pairwise(agents))
        return [*hops, (agents[-1], agents[0])] if len(agents) > 2 else hops
