"""The steps of an order's way, with when each began and ended, for whoever traces it.

Who wants to know follows the work of his thread (`following`); parts of the work say what they do (`step`). Where
nobody follows, nothing is noted. Work that is handed to another thread goes on in a copy of the context. Times are the
wall clock's, in nanoseconds since 1970, since they are set beside those of other processes.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from time import time_ns
from types import TracebackType
from typing import Final, Protocol

Fact = str | int

ORDER_STEPS: Final = ("check_risk_limits", "submit_to_broker", "update_portfolio")
"""Gate and journal; the venue; the journal again, with ledger and positions."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, from `start_ns` to `end_ns`.

    within   place of the step around it, which stands before it in the sequence; -1 where there is none.
    asks     whether it waits for somebody else's answer: the venue's.
    fault    name of the error with which it ended.
    """

    name: str
    start_ns: int
    end_ns: int
    within: int = -1
    facts: Mapping[str, Fact] = field(default_factory=dict)
    asks: bool = False
    fault: str = ""


class Way:
    """Steps of one piece of work, which several threads may take; a step that has not ended yet ends now."""

    def __init__(self) -> None:
        self._open: list[_Noting] = []
        self._guard = threading.Lock()

    def steps(self) -> tuple[Step, ...]:
        """Return the steps, each after the one around it; one during which the clock was set back ends at its start."""
        with self._guard:
            return tuple(noting.made() for noting in self._open)

    def add(self, noting: "_Noting") -> int:
        """Add a step; return its place."""
        with self._guard:
            self._open.append(noting)
            return len(self._open) - 1


class Noting(Protocol):
    """A step under way."""

    def __enter__(self) -> "Noting":
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        ...

    def fact(self, name: str, value: Fact) -> None:
        """Say something about the step."""
        ...

    def part(self, name: str, start_ns: int, end_ns: int) -> None:
        """Say that a step within this one has been done, by whatever thread."""
        ...


class _Noting:
    """A step that somebody follows."""

    __slots__ = ("_asks", "_end_ns", "_facts", "_fault", "_name", "_place", "_start_ns", "_token", "_way", "_within")

    def __init__(self, way: Way, name: str, facts: dict[str, Fact], within: int, *, asks: bool) -> None:
        self._way, self._name, self._facts, self._within, self._asks = way, name, facts, within, asks
        self._fault, self._place = "", -1
        self._token: Token[tuple[Way, int] | None] | None = None
        self._start_ns, self._end_ns = time_ns(), 0

    def __enter__(self) -> "_Noting":
        self._place = self._way.add(self)
        self._token = _FOLLOWED.set((self._way, self._place))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_ns = time_ns()
        self._fault = "" if kind is None else kind.__name__
        if self._token is not None:
            _FOLLOWED.reset(self._token)

    def fact(self, name: str, value: Fact) -> None:
        """Say something about the step."""
        self._facts[name] = value

    def part(self, name: str, start_ns: int, end_ns: int) -> None:
        """Say that a step within this one has been done, by whatever thread."""
        done = _Noting(self._way, name, {}, self._place, asks=False)
        done._start_ns, done._end_ns = start_ns, end_ns
        self._way.add(done)

    def made(self) -> Step:
        """Return the step as it is known now."""
        end_ns = max(self._start_ns, self._end_ns or time_ns())
        return Step(self._name, self._start_ns, end_ns, self._within, dict(self._facts), self._asks, self._fault)


class _Unnoticed:
    """A step that nobody follows."""

    __slots__ = ()

    def __enter__(self) -> "_Unnoticed":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def fact(self, name: str, value: Fact) -> None:
        """Say nothing."""

    def part(self, name: str, start_ns: int, end_ns: int) -> None:
        """Say nothing."""


_FOLLOWED: ContextVar[tuple[Way, int] | None] = ContextVar("followed", default=None)
"""Who follows this thread's work, and the place of the step that is under way."""
_UNNOTICED: Final = _Unnoticed()


@contextmanager
def following() -> Iterator[Way]:
    """Note the steps of the work within."""
    way = Way()
    token = _FOLLOWED.set((way, -1))
    try:
        yield way
    finally:
        _FOLLOWED.reset(token)


def step(name: str, facts: Mapping[str, Fact] | None = None, *, asks: bool = False) -> Noting:
    """Say that a step is done within; `asks`: it waits for the venue."""
    found = _FOLLOWED.get()
    return _UNNOTICED if found is None else _Noting(found[0], name, dict(facts or {}), found[1], asks=asks)
