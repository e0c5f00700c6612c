"""The agents of a live session: the swarm of a replay, told one finished bar after the other.

What is decided at a bar is what a replay of the same bars decides there: new bars are appended, and where the past was
written anew (a split, a correction) the agents begin again and see all of it. Everything stays in this process.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from nt_ray.config import Settings
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.registry import find
from nt_ray.swarm.in_process import InProcessTransport
from nt_ray.swarm.messages import AgentSpec
from nt_ray.swarm.swarm import Swarm
from nt_ray.trader.assembly import build_roster, build_swarm, prepare_panel, single_agent
from nt_ray.trader.broadcast import Broadcast, Publish
from nt_ray.trader.event_stream import Channel, News
from nt_ray.types import FloatArray

BLOCK: Final = 256
"""Bars that are caught up with at a time."""


class LiveSwarm:
    """The configured swarm, or one agent of one strategy where `strategy` names it."""

    def __init__(self, settings: Settings, strategy: str = "", parameters: Mapping[str, float] | None = None) -> None:
        self._settings = settings
        self._strategy = strategy
        self._parameters = dict(parameters or {})
        self._names = (strategy,) if strategy else settings.strategies.enabled
        self._panel: BarPanel | None = None
        self._swarm: Swarm | None = None
        self._decided = 0
        self._last = np.zeros(0)

    def exposures(self, panel: BarPanel) -> FloatArray:
        """Exposures (N,) decided at the last bar of a panel, NaN where they are to stay."""
        panel = prepare_panel(self._names, panel)
        swarm = self._swarm
        if swarm is None or not self._is_continued(panel):
            swarm = self._begun(panel)
        elif len(panel) > swarm.transport.bars:
            swarm.append(panel.values[swarm.transport.bars :])
        else:
            # A rule that learns would begin anew where a bar were asked for again by itself.
            return self._last.copy()
        # Until all of it is decided nothing is known to be right.
        self._swarm = None
        for start in range(self._decided, len(panel), BLOCK):
            self._last = swarm.decide(start, min(start + BLOCK, len(panel))).exposures[-1]
        self._swarm, self._panel, self._decided = swarm, panel, len(panel)
        return self._last.copy()

    def tell(self, account: str, exposures: FloatArray, publish: Publish) -> None:
        """Publish what was decided at the last bar for an account, agent by agent, to those who may see it."""
        if self._swarm is not None and self._panel is not None:

            def decided(told: Sequence[News]) -> None:
                # Bars of the account are told by whoever follows it.
                publish([news._replace(account=account) for news in told if news.channel is Channel.DECISIONS])

            broadcast = Broadcast(account, self._panel, self._swarm.specs, self._swarm.transport, decided)
            broadcast(len(self._panel) - 1, exposures)

    def _begun(self, panel: BarPanel) -> Swarm:
        if self._swarm is not None:
            self._swarm.close()
        specs = self._specs(panel)
        hosts = self._settings.swarm.hosts
        transport = InProcessTransport(specs, panel.values, find, hosts, fields=panel.fields)
        self._decided = 0
        return build_swarm(self._settings, panel, specs, transport, self._settings.swarm.topology)

    def _specs(self, panel: BarPanel) -> tuple[AgentSpec, ...]:
        if self._strategy:
            return single_agent(panel, self._strategy, self._parameters)
        return build_roster(self._settings, panel)

    def _is_continued(self, panel: BarPanel) -> bool:
        """Whether the bars that are known stand unchanged at the beginning of a panel."""
        known = self._panel
        if known is None or len(panel) < len(known) or panel.symbols != known.symbols or panel.fields != known.fields:
            return False
        same_times = np.array_equal(panel.timestamps[: len(known)], known.timestamps)
        return same_times and np.array_equal(panel.values[: len(known)], known.values, equal_nan=True)
