"""The coordinator: asks the hosts, lets a topology bring the voices together and a rule decide.

Guarantees: with the same agents and bars the same decision, to the last bit, for any number of hosts, any
block size and in star, hierarchy and ring; in a mesh up to its epsilon. In `strict` mode a host that dies
or is late is replaced and asked again, so the decision is the one that would have been reached without the
failure; after `max_repairs` in one round, and always when not strict, it is left out and the round goes on
with the rest. An agent whose strategy is at fault is left out too, or stops the round before anything is decided;
the same block may then be asked for again up to that bar. Knows neither Ray nor what becomes of its decisions.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nt_ray.errors import SwarmError
from nt_ray.swarm.failures import AgentFaultError, HostFailure, HostsFailedError, SwarmSetupError
from nt_ray.swarm.messages import AgentSpec, Ballot, Decision, Receipt, Report, RoundStats
from nt_ray.swarm.roster import check_specs
from nt_ray.swarm.rules import Rule
from nt_ray.swarm.statistics import SwarmStats, Totals
from nt_ray.swarm.tally import spread
from nt_ray.swarm.topology.base import Outcome, Round, Topology
from nt_ray.swarm.transport import Ref, Transport
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class SwarmParams:
    """How patient and how demanding the coordinator is.

    `quorum` is the share of the agents covering a symbol that must answer. `deadline` is in seconds, for
    each wait. `on_fault` says what an agent does whose strategy raises or says what is no vote: it abstains, or stops
    the swarm with `AgentFaultError`.
    """

    quorum: float = 0.67
    deadline: float = 30.0
    strict: bool = True
    max_repairs: int = 5
    on_fault: Literal["abstain", "stop"] = "abstain"

    def __post_init__(self) -> None:
        if not 0.0 < self.quorum <= 1.0:
            raise SwarmSetupError(f"quorum={self.quorum} is impossible. Use a share above 0, up to 1.")
        if not self.deadline > 0.0:
            raise SwarmSetupError(f"deadline={self.deadline} must be positive. Give seconds.")
        if self.max_repairs < 0:
            raise SwarmSetupError(f"max_repairs={self.max_repairs} must be zero or more.")


@dataclass(slots=True)
class _Attempt:
    """One block on its way to a decision."""

    start: int
    stop: int
    asked: dict[int, tuple[Ref, Ref]] = field(default_factory=dict)
    """Refs of receipt and ballot, by host."""
    receipts: dict[int, Receipt] = field(default_factory=dict)
    repairs: int = 0


class Swarm:
    """Agents on hosts, reached by a transport, deciding together."""

    def __init__(
        self,
        specs: Sequence[AgentSpec],
        transport: Transport,
        topology: Topology,
        rule: Rule,
        params: SwarmParams | None = None,
    ) -> None:
        check_specs(specs)
        self.specs = tuple(specs)
        self.params = params or SwarmParams()
        self.transport = transport
        self._topology = topology
        self._rule = rule
        self._totals = Totals(len(specs))
        self._next: _Attempt | None = None
        self._lateness: Counter[int] = Counter()
        coverage = np.zeros(transport.symbols, dtype=np.int64)
        for spec in specs:
            coverage[list(spec.symbols)] += 1
        self._needed = np.ceil(self.params.quorum * coverage - 1e-9).astype(np.int64)
        self._covered = coverage > 0

    @property
    def topology(self) -> str:
        """Name of the topology that voices travel by now."""
        return self._topology.name

    @property
    def stats(self) -> SwarmStats:
        """What all rounds so far have cost."""
        return self._totals.stats()

    def decide(self, start: int, stop: int) -> Decision:
        """Decide bars `start` to `stop - 1`."""
        attempt = self._taken(start, stop) or self._ask(start, stop)
        while True:
            failures = self._await_votes(attempt)
            if failures:
                self._repair(attempt, failures)
                continue
            self._stop_at_faults(attempt)
            if not any(len(r.agents) for r in attempt.receipts.values()):
                return self._nobody(attempt)
            try:
                outcome = self._topology.combine(self._round(attempt))
            except HostsFailedError as error:
                self._repair(attempt, error.failures)
                self._ask_again(attempt, list(attempt.asked))
                continue
            return self._decision(attempt, outcome)

    def prefetch(self, start: int, stop: int) -> None:
        """Let the agents begin with a block that will be decided next."""
        self._next = self._ask(start, stop)

    def resize(self, hosts: int) -> None:
        """Spread the agents anew over so many hosts; the next block is decided as it would have been."""
        self._next = None
        self.transport.resize(hosts)
        self._lateness.clear()

    def rewire(self, topology: Topology) -> None:
        """Let voices travel by another topology from the next block on."""
        self._next = None
        self._topology = topology

    def append(self, values: FloatArray) -> None:
        """Add new bars, (B, N, 5), as live trading does."""
        self.transport.append(values)
        self._rule.append(values)

    def edges(self, topology: Topology | None = None) -> list[tuple[int, int]]:
        """Pairs of agents between which messages pass, in this or another topology."""
        members = [[s.agent for s in specs] for _, specs in sorted(self.transport.members.items())]
        return (topology or self._topology).edges(members)

    def report(self) -> Report:
        """Running results of all agents; NaN for those whose host does not answer."""
        hosts = list(self.transport.members)
        refs = {h: (h, self.transport.send(h, "report")[0]) for h in hosts}
        results, _ = self.transport.collect(refs, self.params.deadline)
        contributions = np.full(len(self.specs), np.nan)
        confidences = np.full(len(self.specs), np.nan)
        for report in results.values():
            contributions[report.agents] = report.contributions
            confidences[report.agents] = report.confidences
        return Report(np.arange(len(self.specs), dtype=np.int64), contributions, confidences)

    def close(self) -> None:
        """Stop all hosts."""
        self.transport.close()

    def _ask(self, start: int, stop: int) -> _Attempt:
        bars = self.transport.bars
        if not 0 <= start < stop <= bars:
            raise SwarmSetupError(f"Block {start}:{stop} is outside the panel of {bars} bars. Ask within it.")
        attempt = _Attempt(start, stop)
        self._ask_again(attempt, self.transport.members)
        return attempt

    def _ask_again(self, attempt: _Attempt, hosts: Iterable[int]) -> None:
        """Ask hosts for their votes, forgetting what they answered before."""
        span = (attempt.start, attempt.stop)
        for host in hosts:
            attempt.receipts.pop(host, None)
            if self._topology.by_ballot:
                receipt, ballot = self.transport.send(host, "vote", *span, self._rule.gathers, returns=2)
            else:
                [receipt], ballot = self.transport.send(host, "prepare", *span), None
            attempt.asked[host] = (receipt, ballot)

    def _taken(self, start: int, stop: int) -> _Attempt | None:
        attempt, self._next = self._next, None
        return attempt if attempt and (attempt.start, attempt.stop) == (start, stop) else None

    def _await_votes(self, attempt: _Attempt) -> tuple[HostFailure, ...]:
        waiting = {h: (h, refs[0]) for h, refs in attempt.asked.items() if h not in attempt.receipts}
        receipts, failures = self.transport.collect(waiting, self.params.deadline)
        attempt.receipts.update(receipts)
        for host in receipts:
            self._lateness.pop(host, None)
        return tuple(failures[h] for h in sorted(failures))

    def _repair(self, attempt: _Attempt, failures: Sequence[HostFailure]) -> None:
        """Replace and ask again while strict and within bounds, else leave the hosts out of this round."""
        for failure in failures:
            host = failure.host
            self._totals.failures += 1
            attempt.receipts.pop(host, None)
            again = self.params.strict and attempt.repairs < self.params.max_repairs
            self._lateness[host] += failure.kind == "late"
            # A host late for the first time may only be slow; one that is late again is taken for hung.
            if again or failure.kind == "dead" or self._lateness[host] > 1:
                self.transport.replace(host)
                self._lateness.pop(host, None)
            if again:
                attempt.repairs += 1
                self._totals.repairs += 1
                self._ask_again(attempt, [host])
            else:
                attempt.asked.pop(host, None)

    def _stop_at_faults(self, attempt: _Attempt) -> None:
        faults = [fault for receipt in attempt.receipts.values() for fault in receipt.silent]
        if faults and self.params.on_fault == "stop":
            raise AgentFaultError(faults)

    def _round(self, attempt: _Attempt) -> Round:
        speaking = {h: r.agents for h, r in attempt.receipts.items() if len(r.agents)}
        return Round(
            self.transport,
            attempt.start,
            attempt.stop,
            self._rule.gathers,
            {h: attempt.asked[h][1] for h in speaking},
            speaking,
            self.params.deadline,
        )

    def _decision(self, attempt: _Attempt, outcome: Outcome) -> Decision:
        tally = outcome.tally
        if outcome.estimate is not None:
            exposures, disagreement = outcome.estimate.exposures, outcome.estimate.disagreement
        else:
            exposures = self._rule.exposures(attempt.start, Ballot(tally, outcome.opinions))
            disagreement = spread(tally.weight, tally.weighted, tally.squared)
        quorate = (tally.present >= self._needed) & self._covered
        silent = self._silent(attempt)
        stats = RoundStats(outcome.messages, outcome.rounds, len(silent))
        self._totals.add(stats, disagreement, silent, attempt.receipts.values())
        return Decision(attempt.start, np.where(quorate, exposures, np.nan), disagreement, quorate, stats)

    def _nobody(self, attempt: _Attempt) -> Decision:
        """Hold everything: no agent answered. Raises where no host is left either."""
        if not attempt.receipts:
            raise SwarmError(
                f"No host answered for bars {attempt.start} to {attempt.stop - 1}. Look at the hosts' "
                "logs, raise the deadline or max_repairs."
            )
        shape = (attempt.stop - attempt.start, self.transport.symbols)
        nan = np.full(shape, np.nan)
        silent = self._silent(attempt)
        stats = RoundStats(0, 0, len(silent))
        self._totals.add(stats, nan, silent, attempt.receipts.values())
        return Decision(attempt.start, nan, nan.copy(), np.zeros(shape, dtype=np.bool_), stats)

    def _silent(self, attempt: _Attempt) -> IntArray:
        answered = [r.agents for r in attempt.receipts.values()]
        return np.setdiff1d(np.arange(len(self.specs)), np.concatenate(answered))
