"""What the agents of a host say in one block, on its way from floats to fixed-point opinions.

Guarantees: columns sorted by agent, then symbol; an agent whose numbers are out of range is silent as a
whole.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from nt_ray.swarm.messages import TARGET_ONE, WEIGHT_ONE, AgentSpec, Opinions, Silence, to_fixed
from nt_ray.types import BoolArray, FloatArray, IntArray


class Layout:
    """Columns of a host's agents: one for each (agent, symbol) pair, sorted by agent, then symbol."""

    def __init__(self, specs: Sequence[AgentSpec]) -> None:
        self.agents = np.array([s.agent for s in specs], dtype=np.int64)
        self.starts = np.concatenate(([0], np.cumsum([len(s.symbols) for s in specs]))).astype(np.int64)
        self.owners = np.repeat(self.agents, np.diff(self.starts))
        self.symbols = np.array([c for s in specs for c in sorted(s.symbols)], dtype=np.int64)
        self._columns = {
            s.agent: int(first) + np.argsort(np.argsort(s.symbols))
            for s, first in zip(specs, self.starts, strict=False)
        }
        self._cache: dict[tuple[int, ...], IntArray] = {}

    def columns(self, specs: Sequence[AgentSpec]) -> IntArray:
        """Column of each symbol of each of these agents, in the agents' own order of symbols."""
        key = tuple(s.agent for s in specs)
        if key not in self._cache:
            self._cache[key] = np.concatenate([self._columns[agent] for agent in key]).astype(np.int64)
        return self._cache[key]


class Voices:
    """Collects targets and confidences of the block of bars from `start` on; nobody has spoken at first."""

    def __init__(self, layout: Layout, start: int, bars: int) -> None:
        self._layout = layout
        self._start = start
        self._targets = np.zeros((bars, len(layout.symbols)))
        self._confidences = np.zeros((bars, len(layout.symbols)))
        self._spoke = np.zeros(len(layout.symbols), dtype=np.bool_)
        self._silent: dict[int, Silence] = {}

    def add(self, specs: Sequence[AgentSpec], targets: FloatArray, confidences: FloatArray) -> None:
        """Record targets (K, m), or (K, L, w) with one confidence (K, L) for each lane, of these agents."""
        bars = len(targets)
        width = targets.shape[2] if targets.ndim == 3 else 1
        columns = self._layout.columns(specs)
        self._targets[:, columns] = targets.reshape(bars, -1)
        self._confidences[:, columns] = np.repeat(confidences, width, axis=1)
        self._spoke[columns] = True

    def silence(self, silent: Iterable[Silence]) -> None:
        """Take back what these agents said."""
        named = {s.agent: s for s in silent}
        self._silent.update(named)
        if named:
            self._spoke &= ~np.isin(self._layout.owners, list(named))

    def silent(self) -> tuple[Silence, ...]:
        """Who is silent, and why, ascending."""
        return tuple(self._silent[agent] for agent in sorted(self._silent))

    def opinions(self) -> Opinions:
        """Fixed-point opinions of those that spoke within range; the others fall silent here."""
        self._drop_out_of_range()
        weights = to_fixed(self._confidences[:, self._spoke], WEIGHT_ONE)
        targets = np.where(weights > 0, self._targets[:, self._spoke], 0.0)
        return Opinions(
            self._layout.owners[self._spoke],
            self._layout.symbols[self._spoke],
            np.ascontiguousarray(to_fixed(targets, TARGET_ONE)),
            np.ascontiguousarray(weights),
        )

    def _drop_out_of_range(self) -> None:
        """Silence agents with a confidence outside [0, 1] or, unless it is 0, a target outside [-1, 1]."""
        targets, confidences = self._targets, self._confidences
        sure: BoolArray = (confidences >= 0.0) & (confidences <= 1.0)
        sound: BoolArray = (np.abs(targets) <= 1.0) | (confidences == 0.0)
        bad: BoolArray = self._spoke & ~(sure & sound)
        found: dict[int, Silence] = {}
        for row, column in np.argwhere(bad) if bad.any() else ():
            agent, symbol = int(self._layout.owners[column]), int(self._layout.symbols[column])
            if agent not in found:
                reason = (
                    f"target {targets[row, column]} is outside [-1, 1]"
                    if sure[row, column]
                    else f"confidence {confidences[row, column]} is outside [0, 1]"
                )
                found[agent] = Silence(agent, reason, self._start + int(row), symbol)
        self.silence(found.values())
