"""What each agent said for one bar, asked of the hosts without waiting for them.

A host that has died, was replaced or has moved on no longer knows; its agents are left out. It changes nothing in the
swarm, and whoever decides does not wait for it.
"""

from nt_ray.swarm.messages import Opinions
from nt_ray.swarm.transport import Transport


class Hearing:
    """A question to all hosts about one bar of the blocks they were last asked for."""

    def __init__(self, transport: Transport, bar: int) -> None:
        self.bar = bar
        self._transport = transport
        self._asked = {host: (host, transport.send(host, "said", bar)[0]) for host in transport.members}
        self._heard: dict[int, Opinions] = {}

    def opinions(self, wait_s: float = 0.0) -> list[Opinions] | None:
        """Opinions of every host that knows, in the order of hosts; None where one has not answered yet."""
        found, failures = self._transport.collect(self._asked, wait_s)
        self._heard |= found
        late = [host for host, failure in failures.items() if failure.kind == "late"]
        self._asked = {host: self._asked[host] for host in late}
        return None if self._asked else [self._heard[host] for host in sorted(self._heard)]
