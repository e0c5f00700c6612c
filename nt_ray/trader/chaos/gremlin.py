"""The gremlin: kills its own process, without warning, at a named step of an order's way.

A step is a call to the journal or to the venue, before it or after it.
"""

import os
import signal
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

_T = TypeVar("_T")

CALLS: Final = (
    "journal.open_epoch",
    "journal.append",
    "venue.submit_order",
    "venue.submit_linked",
    "venue.replace_order",
    "venue.cancel_order",
    "venue.order",
    "venue.open_orders",
    "venue.fills",
)
STEPS: Final = tuple(f"{when} {call}" for call in CALLS for when in ("before", "after"))
"""Where the gremlin may strike."""


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


class _Shaky:
    """Stands before an object and tells the gremlin of each call that is a step; changes nothing else."""

    def __init__(self, target: object, name: str, gremlin: Gremlin) -> None:
        self._target = target
        self._name = name
        self._gremlin = gremlin

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._target, attribute)
        step = f"{self._name}.{attribute}"
        if step not in CALLS:
            return found

        def call(*args: object, **kwargs: object) -> Any:
            self._gremlin.at(f"before {step}")
            result = found(*args, **kwargs)
            self._gremlin.at(f"after {step}")
            return result

        return call


def shaken(target: _T, name: str, gremlin: Gremlin) -> _T:
    """Put the gremlin behind the calls of a `journal` or a `venue`."""
    return cast("_T", _Shaky(target, name, gremlin))
