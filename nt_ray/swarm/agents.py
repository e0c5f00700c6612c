"""The agents of one host: asked for a block of bars, they answer with opinions.

Guarantees: asked again for the block just answered, the same answer; asked for a later one, the bars
between are replayed in silence; asked for an earlier one, everything is rebuilt from the first bar. So a
host that was killed and started again answers at once with the same bits. An agent that raises, or says
something that is no number in range, is silent for that block, with the reason, the bar and the symbol; the
others go on. Knows nothing of other hosts.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from nt_ray.strategies.base import Strategy
from nt_ray.swarm.failures import LostStateError, SwarmSetupError
from nt_ray.swarm.lanes import LaneGroup
from nt_ray.swarm.messages import AgentSpec, Opinions, Report, Silence
from nt_ray.swarm.results import Results
from nt_ray.swarm.voices import Layout, Voices
from nt_ray.types import FloatArray

REPLAY_BARS = 256
"""Bars replayed at a time on the way to a later block."""

REMEMBERED = 2
"""Blocks whose opinions are kept for whoever watches: the one that is traded, and the one asked for ahead."""


class PlainAgent(Protocol):
    """An agent written in plain Python; it keeps its own memory and must answer the same block alike."""

    def opinions(self, start: int, stop: int) -> tuple[FloatArray, FloatArray]:
        """Targets in [-1, 1] and confidences in [0, 1], each (stop - start, m), one column a symbol."""


class AgentGroup:
    """Agents over one panel: compiled ones by strategy name, plain ones by agent number."""

    def __init__(
        self,
        specs: Sequence[AgentSpec],
        values: FloatArray,
        find: Callable[[str], Strategy],
        plain: dict[int, PlainAgent] | None = None,
        fields: Sequence[str] = (),
    ) -> None:
        """Build the agents; `values` are bars, (T, N, 5 + X), with X extra `fields`; `find` gives strategies."""
        self.specs = tuple(sorted(specs, key=lambda s: s.agent))
        self._plain = dict(plain or {})
        self._values = np.ascontiguousarray(values)
        _check(self.specs, self._values.shape[1])
        names = sorted({s.strategy for s in self.specs if s.agent not in self._plain})
        self._groups = [
            LaneGroup(find(name), [s for s in self.specs if s.strategy == name and s.agent not in self._plain], fields)
            for name in names
        ]
        self._layout = Layout(self.specs)
        self._results = Results(self._layout)
        self._cursor = 0
        self._block: tuple[int, int] | None = None
        self._answer: tuple[Opinions, tuple[Silence, ...]] | None = None
        self._said: deque[tuple[int, Opinions]] = deque(maxlen=REMEMBERED)

    @property
    def symbols(self) -> int:
        """Columns of the panel."""
        return int(self._values.shape[1])

    def append(self, values: FloatArray) -> None:
        """Add new bars, (B, N, 5 + X), at the end of the panel, as live trading does."""
        if values.ndim != 3 or values.shape[1:] != self._values.shape[1:]:
            symbols, width = self._values.shape[1:]
            raise SwarmSetupError(f"New bars have shape {values.shape}; (B, {symbols}, {width}) is needed.")
        self._values = np.concatenate([self._values, values])

    def opinions(self, start: int, stop: int) -> tuple[Opinions, tuple[Silence, ...]]:
        """Opinions for bars `start` to `stop - 1`, and who is silent."""
        if not 0 <= start < stop:
            raise SwarmSetupError(f"Block {start}:{stop} is empty or starts before the first bar.")
        if stop > len(self._values):
            raise LostStateError(
                f"Bar {stop - 1} is unknown to a host of {len(self._values)} bars. Start it with all bars."
            )
        if self._answer is not None and self._block == (start, stop):
            return self._answer
        if start < self._cursor:
            self._rewind()
        while self._cursor < start:
            self._advance(min(start, self._cursor + REPLAY_BARS), replay=True)
        self._answer = self._advance(stop, replay=False)
        self._block = (start, stop)
        self._said.append((start, self._answer[0]))
        return self._answer

    def said(self, bar: int) -> Opinions:
        """Opinions for one bar of the blocks last answered; raises `LostStateError` for any other."""
        for start, opinions in reversed(self._said):
            row = bar - start
            if 0 <= row < len(opinions.targets):
                own = slice(row, row + 1)
                return Opinions(opinions.agents, opinions.symbols, opinions.targets[own], opinions.weights[own])
        raise LostStateError(f"This host does not remember what was said for bar {bar}.")

    def report(self) -> Report:
        """Running results of the agents up to the last bar answered."""
        return self._results.report()

    def _rewind(self) -> None:
        self._cursor = 0
        for group in self._groups:
            group.reset()
        self._results = Results(self._layout)

    def _advance(self, stop: int, *, replay: bool) -> tuple[Opinions, tuple[Silence, ...]]:
        """Let every agent answer from the cursor to `stop`; plain agents are not asked for replayed bars."""
        start = self._cursor
        voices = Voices(self._layout, start, stop - start)
        for group in self._groups:
            targets, confidences, failed = group.run(self._values, start, stop)
            voices.add(group.specs, targets, confidences)
            voices.silence(failed)
        for spec in self.specs:
            if spec.agent in self._plain and not replay:
                self._ask_plain(spec, start, stop, voices)
        opinions = voices.opinions()
        self._results.settle(opinions, self._values, start)
        self._cursor = stop
        return opinions, voices.silent()

    def _ask_plain(self, spec: AgentSpec, start: int, stop: int, voices: "Voices") -> None:
        try:
            targets, confidences = self._plain[spec.agent].opinions(start, stop)
        except Exception as error:  # noqa: BLE001 the boundary of an agent: the failure becomes its silence
            voices.silence([Silence(spec.agent, f"{type(error).__name__}: {error}", start)])
            return
        shape = (stop - start, len(spec.symbols))
        if np.shape(targets) != shape or np.shape(confidences) != shape:
            reason = f"shapes {np.shape(targets)} and {np.shape(confidences)} instead of {shape}"
            voices.silence([Silence(spec.agent, reason, start)])
            return
        voices.add((spec,), np.asarray(targets, np.float64), np.asarray(confidences, np.float64))


def _check(specs: Sequence[AgentSpec], symbols: int) -> None:
    for spec in specs:
        wrong = [s for s in spec.symbols if not 0 <= s < symbols]
        if wrong or len(set(spec.symbols)) != len(spec.symbols):
            raise SwarmSetupError(
                f"Agent {spec.agent} ({spec.name}) names columns {spec.symbols} of a panel with {symbols}. "
                "Name each existing column once."
            )
