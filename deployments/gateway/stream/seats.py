"""How many connections are open at once, by address, by user and in all: each has a bound, in each replica.

Sockets of every stream and followers of server-sent events share them, so that whatever a user opens, requests find a
replica with room. A connection takes a seat of its address before it has said who it is, so that nobody fills a replica
with strangers.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from nt_ray.access.abuse import origin
from nt_ray.errors import NeuralTraderError

OF_ADDRESS: Final = 500
OF_USER: Final = 100
IN_ALL: Final = 750


class NoSeatError(NeuralTraderError):
    """Too many connections at once."""

    code = "too_many_connections"
    status = 429
    retry_after_s: Final = 5.0

    def __init__(self, most: int, whose: str) -> None:
        super().__init__(f"There are {most} connections of {whose} already. Close one of them.")


@dataclass(slots=True)
class Seats:
    """Connections that are open; an instance belongs to one event loop."""

    of_address: int
    of_user: int
    in_all: int = IN_ALL
    _taken: Counter[tuple[str, str]] = field(default_factory=Counter)

    @contextlib.contextmanager
    def address(self, address: str) -> Iterator[None]:
        """Have a seat of an address for the length of a block; `NoSeatError` where all are taken."""
        with self._any(), self._seat(("address", origin(address)), self.of_address, "this address"):
            yield

    @contextlib.contextmanager
    def user(self, user: str) -> Iterator[None]:
        """Have a seat of a user, whatever keys and tokens he shows; `NoSeatError` where all are taken."""
        with self._seat(("user", user), self.of_user, "this user"):
            yield

    @contextlib.contextmanager
    def follower(self, user: str) -> Iterator[None]:
        """Have a seat of a user who is known from the start; `NoSeatError` where all are taken."""
        with self._any(), self.user(user):
            yield

    def _any(self) -> contextlib.AbstractContextManager[None]:
        return self._seat(("", ""), self.in_all, "all users")

    @contextlib.contextmanager
    def _seat(self, whose: tuple[str, str], most: int, words: str) -> Iterator[None]:
        if self._taken[whose] >= most:
            raise NoSeatError(most, words)
        self._taken[whose] += 1
        try:
            yield
        finally:
            self._taken[whose] -= 1
            if not self._taken[whose]:
                del self._taken[whose]
