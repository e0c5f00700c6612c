"""Star: all opinions go to one hub, which merges them. The hub is the lowest host that is alive."""

from collections.abc import Sequence

from nt_ray.swarm.messages import Ballot
from nt_ray.swarm.topology.base import Outcome, Round, fetch


class Star:
    """Lowest latency; the hub receives everything."""

    name = "star"
    by_ballot = True

    def combine(self, work: Round) -> Outcome:
        """Merge every host's ballot at the hub."""
        hub = work.hosts[0]
        [merged] = work.transport.send(hub, "merge", *(work.ballots[h] for h in work.hosts))
        ballot: Ballot = fetch(work, {"hub": (hub, merged)})["hub"]
        return Outcome(ballot.tally, ballot.opinions, None, max(len(work.agents) - 1, 0), 1)

    def edges(self, members: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
        """Every agent with the first agent of the hub."""
        agents = [a for host in members for a in host]
        return [(agents[0], a) for a in agents[1:]]
