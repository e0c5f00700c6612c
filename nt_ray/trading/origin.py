"""Where a call comes from: the request it serves and the trace it belongs to.

It travels with the call, so that logs and traces of several processes can be put together, and decides nothing.
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import NamedTuple


class Origin(NamedTuple):
    """Ids of a request and of a span of a trace (W3C: 32 and 16 hexadecimal digits); empty where there is none."""

    request_id: str = ""
    trace_id: str = ""
    span_id: str = ""

    @property
    def is_traced(self) -> bool:
        """Whether somebody traces the request."""
        return bool(self.trace_id)

    def ids(self) -> dict[str, str]:
        """Ids that are known, by their names."""
        told = {"request_id": self.request_id, "trace_id": self.trace_id, "span_id": self.span_id}
        return {name: value for name, value in told.items() if value}


NOWHERE = Origin()

_ORIGIN: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def origin() -> Origin:
    """Where the work of this thread comes from."""
    return _ORIGIN.get()


def coming_from(where: Origin) -> AbstractContextManager[None]:
    """Do the work within for a request."""
    return _Within(where)


class _Within:
    """A class, since each request is within one: a generator would cost it three times as much."""

    __slots__ = ("_token", "_where")

    def __init__(self, where: Origin) -> None:
        self._where = where

    def __enter__(self) -> None:
        self._token = _ORIGIN.set(self._where)

    def __exit__(self, *_: object) -> None:
        _ORIGIN.reset(self._token)
