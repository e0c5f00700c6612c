"""What travels between agents, hosts and the coordinator of a swarm. All frozen, all plain arrays.

Targets and weights travel as fixed-point integers. Integer sums are associative, so a decision is the same
to the last bit however the agents are spread over hosts and nodes and in whatever order messages arrive.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from nt_ray.types import BoolArray, FloatArray, IntArray

TARGET_ONE: Final = 1 << 15
"""Fixed-point 1.0 of a target exposure."""

WEIGHT_ONE: Final = 1 << 20
"""Fixed-point 1.0 of a confidence. 2^20 * 2^30 * 8,191 agents stay within int64."""

MAX_AGENTS: Final = 8191


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent: a strategy with parameters over a group of symbols.

    `agent` is its number, 0 to A-1, unique in the swarm: the order of every order-dependent step.
    `symbols` are columns of the panel; their number is a multiple of the strategy's width.
    """

    agent: int
    name: str
    strategy: str
    symbols: tuple[int, ...]
    params: tuple[float, ...]
    defers: bool = False
    """In a ring, abstain where a running decision of the other sign is more confident than this agent."""


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """Opinions of some agents over K bars: one column for each (agent, symbol) pair, V columns in all.

    Columns are sorted by agent, then symbol. An agent that is silent has no columns here.
    """

    agents: IntArray
    """(V,) agent of each column."""
    symbols: IntArray
    """(V,) panel column of each column."""
    targets: IntArray
    """(K, V) fixed-point target exposure in [-TARGET_ONE, TARGET_ONE]."""
    weights: IntArray
    """(K, V) fixed-point confidence in [0, WEIGHT_ONE]; 0 abstains."""


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Sums over opinions, all int64 of shape (K, N): associative and commutative under `+`."""

    weight: IntArray
    """Sum of weights."""
    weighted: IntArray
    """Sum of weight times target."""
    squared: IntArray
    """Sum of weight times target squared."""
    present: IntArray
    """Number of agents that answered for the symbol, abstainers included."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.weight + other.weight,
            self.weighted + other.weighted,
            self.squared + other.squared,
            self.present + other.present,
        )

    @staticmethod
    def empty(bars: int, symbols: int) -> "Tally":
        """Tally of nobody."""
        return Tally(*(np.zeros((bars, symbols), dtype=np.int64) for _ in range(4)))


@dataclass(frozen=True, slots=True)
class Silence:
    """An agent that did not answer for a block, and why.

    `bar` is the first bar at fault, the block's first where nobody can tell; `symbol` its column of the panel, -1
    where it concerns them all.
    """

    agent: int
    reason: str
    bar: int
    symbol: int = -1


@dataclass(frozen=True, slots=True, eq=False)
class Receipt:
    """A host's word that the agents it holds have answered for a block: small, so anyone can wait for it."""

    host: int
    agents: IntArray
    """Agents that answered, ascending."""
    silent: tuple[Silence, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Ballot:
    """The voices of some agents over K bars: their sums, and the opinions too where the rule needs them."""

    tally: Tally
    opinions: Opinions | None


@dataclass(frozen=True, slots=True, eq=False)
class Baton:
    """What passes round a ring: the sums so far, how many spoke, and opinions as revised."""

    tally: Tally
    voters: IntArray
    """(K, N) agents that spoke with a weight above zero."""
    opinions: Opinions | None


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Running results of a host's agents up to its cursor, each array in the order of `agents`."""

    agents: IntArray
    contributions: FloatArray
    """Sum over bars of target times the next simple return, averaged over the agent's symbols."""
    confidences: FloatArray
    """Mean confidence over the bars and symbols for which the agent was asked."""


@dataclass(frozen=True, slots=True)
class RoundStats:
    """What one round cost: `messages` between agents, `rounds` of message passing, `silent` agents."""

    messages: int
    rounds: int
    silent: int


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What the swarm decided for bars `start` to `start + K - 1`.

    `exposures` are float64 (K, N) in [-1, 1]; NaN means hold (no quorum, everyone abstained, nobody covers
    it). `disagreement` is the weighted standard deviation of targets, (K, N), NaN where nobody voted.
    """

    start: int
    exposures: FloatArray
    disagreement: FloatArray
    quorate: BoolArray
    stats: RoundStats

    def __post_init__(self) -> None:
        if self.exposures.shape != self.disagreement.shape:
            raise ValueError("exposures and disagreement differ in shape")


def to_fixed(values: FloatArray, one: int) -> IntArray:
    """Round floats to fixed point, half to even."""
    return np.rint(values * one).astype(np.int64)
