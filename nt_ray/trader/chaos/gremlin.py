"""The gremlin: kills its own process, without warning, at a named step of an order's way.

A step lies before or after a call to the journal or to the venue, or before, inside or after the writing of an event;
inside means that its rows are in the database and the transaction has not ended. It knows neither orders nor prices.
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from nt_ray.storage.sqlite_journal import SqliteJournal
from nt_ray.trading import events as e

_T = TypeVar("_T")

CALLS: Final = (
    "journal.open_epoch",
    "journal.snapshot",
    "journal.confirm",
    "journal.write_snapshot",
    "venue.submit_order",
    "venue.submit_linked",
    "venue.replace_order",
    "venue.cancel_order",
    "venue.order",
    "venue.open_orders",
    "venue.fills",
    "venue.updates",
)
WRITTEN: Final = (
    e.EpochStarted,
    e.OrderSubmitted,
    e.OrderAccepted,
    e.OrderRejected,
    e.OrderFilled,
    e.PendingCancel,
    e.OrderCanceled,
    e.PendingReplace,
    e.OrderReplaced,
)
"""Events whose writing is a step."""

CALL_STEPS: Final = tuple(f"{when} {call}" for call in CALLS for when in ("before", "after"))
INSIDE: Final = tuple(f"inside {kind.__name__}" for kind in WRITTEN)
WRITE_STEPS: Final = tuple(f"{when} {kind.__name__}" for kind in WRITTEN for when in ("before", "after"))
STEPS: Final = (*CALL_STEPS, *WRITE_STEPS, *INSIDE)
"""Where the gremlin may strike; inside a transaction only where the journal is a SQLite file."""


@dataclass(slots=True)
class Gremlin:
    """Kills this process at the `turn`-th time that `step` is reached; an empty step never is."""

    step: str = ""
    turn: int = 1

    def at(self, step: str) -> None:
        """Learn that a step is reached."""
        if step == self.step:
            self.turn -= 1
            if self.turn <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrote(self, when: str, events: Sequence[object]) -> None:
        """Learn that events are about to be written, lie in the transaction, or are written."""
        for kind in dict.fromkeys(type(event).__name__ for event in events):
            self.at(f"{when} {kind}")


class _Shaky:
    """Stands before an object and tells the gremlin of each call that is a step; changes nothing else."""

    def __init__(self, target: object, name: str, gremlin: Gremlin) -> None:
        self._target = target
        self._name = name
        self._gremlin = gremlin
        self._events: Sequence[object] = ()
        if isinstance(target, SqliteJournal):
            target.watch(self._statement)

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._target, attribute)
        step = f"{self._name}.{attribute}"
        if step == "journal.append":
            return self._append
        if step not in CALLS:
            return found

        def call(*args: object, **kwargs: object) -> Any:
            self._gremlin.at(f"before {step}")
            result = found(*args, **kwargs)
            self._gremlin.at(f"after {step}")
            return result

        return call

    def _append(self, events: Sequence[e.Event], *, durable: bool = True) -> None:
        self._gremlin.wrote("before", events)
        self._events = events
        cast("Any", self._target).append(events, durable=durable)
        self._events = ()
        self._gremlin.wrote("after", events)

    def _statement(self, sql: str) -> None:
        """Learn of each statement that SQLite is about to run."""
        if sql == "COMMIT":
            self._gremlin.wrote("inside", self._events)


def shaken(target: _T, name: str, gremlin: Gremlin) -> _T:
    """Put the gremlin behind the calls of a `journal` or a `venue`."""
    return cast("_T", _Shaky(target, name, gremlin))
