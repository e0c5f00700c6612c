"""How far a client has read: what was sent to it and is not confirmed yet is bounded, in messages and in seconds.

A proxy may take frames for its client and keep them, so that a frame was taken says nothing of the client. A `ping`
among the messages reaches him behind all that was sent before it, and his `pong` says that he has read that. One ping
is open at a time; nothing is asked of a client who was sent nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

EACH: Final = 1_000
"""Messages after which a client is asked, however little time has passed."""
MOST: Final = 5_000
"""Messages without confirmation after which a client is sent no more."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: from a message to the question whether it was read, and from the question to its answer."""

    ask_s: float = 5.0
    answer_s: float = 30.0


class Reading:
    """What one client was sent, and what of it he has confirmed."""

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._sent = 0
        self._read = 0
        self._asked = 0
        self._open_since: float | None = None
        self._sent_since: float | None = None

    @property
    def has_room(self) -> bool:
        """Whether the client may be sent more."""
        return self._sent - self._read < MOST

    def is_due(self) -> bool:
        """Whether the client is to be asked now."""
        if self._open_since is not None or self._sent_since is None:
            return False
        return self._sent - self._asked >= EACH or self._clock() - self._sent_since >= self._patience.ask_s

    def is_late(self) -> bool:
        """Whether the client owes an answer for too long."""
        return self._open_since is not None and self._clock() - self._open_since > self._patience.answer_s

    def send(self, count: int) -> None:
        """Count messages that the client is sent."""
        if count and self._sent_since is None:
            self._sent_since = self._clock()
        self._sent += count

    def ask(self) -> int:
        """Begin to wait for an answer; the number that it has to bear."""
        self._asked, self._open_since, self._sent_since = self._sent, self._clock(), None
        return self._asked

    def answer(self, number: int) -> bool:
        """Take an answer; False where nothing with this number is asked."""
        if self._open_since is None or number != self._asked:
            return False
        self._read, self._open_since = number, None
        return True
