"""What all replicas of a door have counted, summed in one place, so that any of them can tell it all.

A scrape comes to one replica, another time to another; were each to tell its own counts, a counter would jump back and
forth. So each tells the board its counts every few seconds, and the one that is asked tells them all.

What only grows is summed over all replicas, those that have ended too: a sum never falls. Other sums are over replicas
that live. What concerns a process bears the replica's name. A replica that is killed takes what it counted since it
last told with it; a board that is started anew knows what living replicas tell, which a reader of counters takes for
the restart that it is.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from actors.calls import settle
from actors.cluster import NAMESPACE

NAME: Final = "counts"
ALIVE_S: Final = 10.0
"""A replica that has told nothing for so long has ended."""
FORGOTTEN_S: Final = 3600.0
"""After so long the counts of one that has ended are kept in the sum alone."""

Sample = tuple[str, tuple[tuple[str, str], ...]]
"""A sample by its name and its labels, in order."""


class Over(Enum):
    """How samples of several replicas with equal labels are put together."""

    ALL = "sum over all that there ever were"
    LIVING = "sum over those that live"
    NEWEST = "one of those that live: they look at the same thing"


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name, as Prometheus knows them: kind, text that explains it, values."""

    name: str
    kind: str
    text: str
    over: Over
    samples: Mapping[Sample, float]


Told = tuple[Family, ...]


@dataclass(frozen=True, slots=True)
class All:
    """What all have counted, and how many of them live."""

    families: Told
    replicas: int


@dataclass(slots=True)
class _Replica:
    """What one replica told last; `number` counts up, so that what comes late is known."""

    number: int
    heard: float
    told: Told


@dataclass(slots=True)
class _Sum:
    """A family of several replicas."""

    first: Family
    samples: dict[Sample, float] = field(default_factory=dict)

    def add(self, family: Family) -> None:
        if family.over is Over.NEWEST:
            self.samples.update(family.samples)
            return
        for sample, value in family.samples.items():
            self.samples[sample] = self.samples.get(sample, 0.0) + value


class CountBoard:
    """Counts of all replicas."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Replica] = {}
        self._gone: Told = ()

    def tell(self, replica: str, number: int, told: Told) -> None:
        """Take what a replica has counted since it began."""
        now = self._clock()
        before = self._known.get(replica)
        if before is None or number > before.number:
            self._known[replica] = _Replica(number, now, told)
        self._forget(now)

    def read(self) -> All:
        """Sum what all have told."""
        now = self._clock()
        living = [found for found in self._known.values() if now - found.heard < ALIVE_S]
        grown = [family for found in self._known.values() for family in found.told if family.over is Over.ALL]
        present = [family for found in living for family in found.told if family.over is not Over.ALL]
        return All(_summed((*self._gone, *grown, *present)), len(living))

    def _forget(self, now: float) -> None:
        for replica, found in list(self._known.items()):
            if now - found.heard >= FORGOTTEN_S:
                del self._known[replica]
                self._gone = _summed((*self._gone, *(family for family in found.told if family.over is Over.ALL)))


def _summed(families: Iterable[Family]) -> Told:
    sums: dict[str, _Sum] = {}
    for family in families:
        sums.setdefault(family.name, _Sum(family)).add(family)
    return tuple(replace(found.first, samples=found.samples) for found in sums.values())


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, enable_task_events=False)  # type: ignore[call-overload]
class CountsActor:
    """Mailbox of a `CountBoard`."""

    def __init__(self) -> None:
        self._board = CountBoard()

    def tell(self, replica: str, number: int, told: Told) -> None:
        """Take what a replica has counted since it began."""
        self._board.tell(replica, number, told)

    def exchange(self, replica: str, number: int, told: Told) -> All:
        """Take what a replica has counted, and sum what all have told."""
        self._board.tell(replica, number, told)
        return self._board.read()

    def ping(self) -> None:
        """Answer once it runs."""


def start() -> Any:
    """Start the board or find it; it outlives its starter."""

    def begin() -> "ray.ObjectRef[None]":
        handle: Any = CountsActor.options(  # type: ignore[attr-defined]
            name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True
        ).remote()
        answer: ray.ObjectRef[None] = handle.ping.remote()
        return answer

    settle(begin(), begin, "The board of counts")
    return find()


def find() -> Any:
    """Find the board; raises ValueError where there is none."""
    return ray.get_actor(NAME, NAMESPACE)


def stop() -> None:
    """End the board, where there is one."""
    try:
        handle = find()
    except ValueError:
        return
    ray.kill(handle)
