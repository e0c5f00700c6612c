"""Names for what a request makes: new ones, or the same ones again where it is made again under its idempotency key.

`middleware.idempotency` begins a request's names; they end with its task.
"""

import hashlib
import itertools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

_NAMES: Final[ContextVar[Iterator[str] | None]] = ContextVar("names", default=None)


def begin(key: str) -> None:
    """Let this task take its names from a key."""
    _NAMES.set(hashlib.sha256(f"{key} {number}".encode()).hexdigest()[:32] for number in itertools.count())


def next_name() -> str:
    """Return a name that nothing else has."""
    return name_of_key() or uuid4().hex


def name_of_key() -> str:
    """Return the next name of the request's key; empty where it has none."""
    names = _NAMES.get()
    return "" if names is None else next(names)
