"""Running totals of a swarm over its rounds: what the rounds cost and who was silent."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nt_ray.swarm.messages import Receipt, RoundStats, Silence
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class SwarmStats:
    """Totals over all rounds so far."""

    decisions: int
    """Blocks decided."""
    bars: int
    messages: int
    """Messages between agents."""
    rounds: int
    """Rounds of message passing."""
    disagreement: float
    """Mean weighted standard deviation of targets over bars and symbols with a vote; NaN if none."""
    silent: int
    """Agents silent, summed over blocks."""
    silent_rounds: IntArray
    """(A,) blocks in which each agent was silent."""
    faults: dict[int, Silence]
    """First fault of each agent that had one; a missing host is none of its agents' faults."""
    failures: int
    """Failures of hosts."""
    repairs: int
    """Hosts replaced and asked again within a round."""


class Totals:
    """Adds up rounds."""

    def __init__(self, agents: int) -> None:
        self.failures = 0
        self.repairs = 0
        self._decisions = 0
        self._bars = 0
        self._messages = 0
        self._rounds = 0
        self._spread_sum = 0.0
        self._spread_count = 0
        self._silent_rounds = np.zeros(agents, dtype=np.int64)
        self._faults: dict[int, Silence] = {}

    def add(self, stats: RoundStats, disagreement: FloatArray, silent: IntArray, receipts: Iterable[Receipt]) -> None:
        """Add one decided block."""
        self._decisions += 1
        self._bars += len(disagreement)
        self._messages += stats.messages
        self._rounds += stats.rounds
        known = disagreement[~np.isnan(disagreement)]
        self._spread_sum += float(known.sum())
        self._spread_count += len(known)
        self._silent_rounds[silent] += 1
        for fault in (s for r in receipts for s in r.silent):
            self._faults.setdefault(fault.agent, fault)

    def stats(self) -> SwarmStats:
        """Totals so far."""
        mean = self._spread_sum / self._spread_count if self._spread_count else float("nan")
        return SwarmStats(
            self._decisions,
            self._bars,
            self._messages,
            self._rounds,
            mean,
            int(self._silent_rounds.sum()),
            self._silent_rounds.copy(),
            dict(sorted(self._faults.items())),
            self.failures,
            self.repairs,
        )
