"""What a run tells to those who watch it: its bars, and what the swarm decided on them, agent by agent.

A replay passes thousands of bars a second, and nobody reads those: a run tells `MOST_A_SECOND` events of a channel a
second at most, whole rows of them, the newest row there is when it may tell again, and its last row in any case. What
is told changes nothing in the run, and the run waits for it only at its end.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from nt_ray.market.bars import BarPanel
from nt_ray.swarm.hearing import Hearing
from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, AgentSpec, Opinions
from nt_ray.swarm.transport import Transport
from nt_ray.trader.bar_reading import bars_at, exact, time_of
from nt_ray.trader.event_stream import Channel, News, news
from nt_ray.types import FloatArray

MOST_A_SECOND: Final = 100
"""Events of one channel that a run tells in a second, one for each symbol of a row."""
MOST_AGENTS: Final = 100
"""Agents that are told with a decision: those of the most weight."""
PATIENCE_S: Final = 2.0
"""How long the last row is waited for."""
_DIGITS: Final = 6

Publish = Callable[[Sequence[News]], None]
"""Passes news on without waiting."""


class Broadcast:
    """Tells of one run; called after each bar with its row and the exposures decided."""

    def __init__(
        self,
        source: str,
        panel: BarPanel,
        specs: Sequence[AgentSpec],
        transport: Transport,
        publish: Publish,
        clock: Callable[[], float] = time.monotonic,
        *,
        owner: str = "",
    ) -> None:
        self._source = source
        self._owner = owner
        self._panel = panel
        self._specs = {spec.agent: spec for spec in specs}
        self._transport = transport
        self._publish = publish
        self._clock = clock
        self._due = clock()
        self._asked: tuple[Hearing, FloatArray] | None = None

    def __call__(self, row: int, exposures: FloatArray) -> None:
        """Take note of a bar, and tell of it where it is time."""
        is_last = row + 1 == len(self._panel)
        if self._asked is not None and (opinions := self._asked[0].opinions()) is not None:
            self._tell(self._asked[0].bar, self._asked[1], opinions)
            self._asked = None
        if is_last or (self._asked is None and self._clock() >= self._due):
            self._due = self._clock() + len(self._panel.symbols) / MOST_A_SECOND
            self._asked = Hearing(self._transport, row), exposures.copy()
        if is_last and self._asked is not None:
            opinions = self._asked[0].opinions(PATIENCE_S)
            self._tell(row, exposures, opinions or [])

    def _tell(self, row: int, exposures: FloatArray, opinions: Sequence[Opinions]) -> None:
        now = datetime.now(UTC)
        bars = bars_at(self._panel, row)
        told = [bar.news(now, self._source) for bar in bars]
        by_symbol = self._by_symbol(opinions)
        bar_time = time_of(self._panel, row).isoformat()
        for column, symbol in enumerate(self._panel.symbols):
            agents = by_symbol.get(column, [])
            target = exact(round(float(exposures[column]), _DIGITS))
            if agents or target is not None:
                data = {"source": self._source, "bar_time": bar_time, "target": target, **_most(agents)}
                told.append(news(Channel.DECISIONS, now, data, symbol=symbol))
        self._publish([one._replace(owner=self._owner) for one in told])

    def _by_symbol(self, opinions: Sequence[Opinions]) -> dict[int, list[dict[str, Any]]]:
        """What each agent said of each column."""
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for said in opinions:
            targets = np.round(said.targets[0] / TARGET_ONE, _DIGITS).tolist()
            weights = np.round(said.weights[0] / WEIGHT_ONE, _DIGITS).tolist()
            for agent, column, target, weight in zip(
                said.agents.tolist(), said.symbols.tolist(), targets, weights, strict=True
            ):
                spec = self._specs[agent]
                about = {"agent": agent, "name": spec.name, "strategy": spec.strategy}
                found[column].append({**about, "opinion": target, "weight": weight})
        return found


def _most(agents: list[dict[str, Any]]) -> dict[str, Any]:
    """Agents of the most weight, in their order, and how many there are in all."""
    if len(agents) > MOST_AGENTS:
        least = sorted((agent["weight"] for agent in agents), reverse=True)[MOST_AGENTS - 1]
        above = [agent for agent in agents if agent["weight"] > least]
        room = MOST_AGENTS - len(above)
        level = [agent for agent in agents if agent["weight"] == least][:room]
        kept = {id(agent) for agent in (*above, *level)}
        return {"agents": [agent for agent in agents if id(agent) in kept], "agents_in_all": len(agents)}
    return {"agents": agents, "agents_in_all": len(agents)}
