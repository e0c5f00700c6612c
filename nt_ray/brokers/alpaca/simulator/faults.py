"""Faults on demand: which requests and messages go wrong, how, and how often."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

from nt_ray.brokers.alpaca.simulator.intake import invalid


class FaultKind(StrEnum):
    """What goes wrong. The last three are of the stream."""

    DROP_BEFORE = "drop_before"
    """The connection breaks, and the request was not processed."""
    DROP_AFTER = "drop_after"
    """The request was processed, and the connection breaks."""
    DELAY = "delay"
    """The request was processed; the answer comes after `seconds`."""
    HOLD = "hold"
    """The request is processed after `seconds`, and answered then."""
    LATE = "late"
    """The connection breaks at once, and the request is processed after `seconds`: until then nobody finds it."""
    RATE_LIMIT = "rate_limit"
    """429, with Retry-After where `seconds` is given; not processed."""
    ERROR = "error"
    """An HTML page with `status`; processed where `processed` says so."""
    TRUNCATE = "truncate"
    """The request was processed; half of the answer arrives."""
    STALE = "stale"
    """An order is shown as it stood before it was cancelled."""
    WORD = "word"
    """The order's state is told by the word `word`."""
    STREAM_DUPLICATE = "stream_duplicate"
    """A message is sent twice."""
    STREAM_REORDER = "stream_reorder"
    """A message comes after the one that follows it."""
    STREAM_CLOSE = "stream_close"
    """The socket closes instead of a message."""


_OF_STREAM: Final = (FaultKind.STREAM_DUPLICATE, FaultKind.STREAM_REORDER, FaultKind.STREAM_CLOSE)


@dataclass(slots=True)
class Fault:
    """One fault and how often it is still to happen.

    `method` and `path` are patterns (`*` stands for anything); `client_order_id`, where given, must be the order's;
    `event` is the event of the stream.
    """

    kind: FaultKind
    count: int = 1
    method: str = "*"
    path: str = "/v2/*"
    client_order_id: str = ""
    event: str = "*"
    status: int = 502
    seconds: float | None = None
    processed: bool = False
    word: str = ""


class Faults:
    """Faults that are still to happen, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()

    def request(self, method: str, path: str, client_order_id: str) -> Fault | None:
        """Take the fault of a request, if there is one."""
        return self._take(
            lambda f: (
                f.kind not in _OF_STREAM
                and fnmatchcase(method, f.method)
                and fnmatchcase(path, f.path)
                and f.client_order_id in ("", client_order_id)
            )
        )

    def message(self, event: str, client_order_id: str) -> Fault | None:
        """Take the fault of a message of the stream, if there is one."""
        return self._take(
            lambda f: (
                f.kind in _OF_STREAM and fnmatchcase(event, f.event) and f.client_order_id in ("", client_order_id)
            )
        )

    def _take(self, fits: Callable[[Fault], bool]) -> Fault | None:
        for fault in self._faults:
            if fits(fault):
                fault.count -= 1
                if fault.count <= 0:
                    self._faults.remove(fault)
                return fault
        return None


def fault_from(body: Mapping[str, Any]) -> Fault:
    """Read a fault from the body of `POST /simulator/faults`."""
    known = set(Fault.__dataclass_fields__)
    unknown = sorted(set(body) - known)
    if unknown or body.get("kind") not in tuple(FaultKind):
        raise invalid(f"no fault: {dict(body)!r}; kinds are {', '.join(FaultKind)}, fields {', '.join(sorted(known))}")
    values = dict(body)
    seconds = values.get("seconds")
    values["seconds"] = None if seconds is None else float(seconds)
    return Fault(**{**values, "kind": FaultKind(values["kind"])})
