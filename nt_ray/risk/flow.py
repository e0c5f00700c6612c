"""Messages and executions of an account in time: a fold over what was sent and what filled.

A message is a submission, a replacement or a cancel request; all of them count, whatever became of them. Times come in
order. The newest `MOST` of each kind are kept, so a limit may be as high as that. Knows no limit.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

MOST: Final = 10_000

_Times = deque[datetime]


class Flow:
    """Times of messages and executions, of the account (the owner ``""``) and of each strategy."""

    __slots__ = ("executions", "messages")

    def __init__(self) -> None:
        self.messages: dict[str, _Times] = {}
        self.executions: dict[str, _Times] = {}

    def sent(self, strategy: str, time: datetime) -> None:
        """Count a message."""
        _add(self.messages, "", time)
        _add(self.messages, strategy, time)

    def unsent(self, strategy: str, count: int) -> None:
        """Take back the newest `count` messages of a strategy, which were only reserved."""
        for owner in ("", strategy):
            for _ in range(count):
                self.messages[owner].pop()

    def filled(self, strategy: str, time: datetime) -> None:
        """Count an execution."""
        _add(self.executions, strategy, time)

    def restart(self, strategy: str) -> None:
        """Count executions of a strategy anew."""
        self.executions.pop(strategy, None)

    def is_busy(self, owner: str, most: int, now: datetime, window: timedelta) -> bool:
        """Whether `most` messages of an owner are less than `window` old."""
        times = self.messages.get(owner)
        return times is not None and len(times) >= most and now - times[-most] < window

    def is_repeating(self, strategy: str, most: int, since: datetime) -> bool:
        """Whether more than `most` executions of a strategy are younger than `since`."""
        times = self.executions.get(strategy)
        return times is not None and len(times) > most and times[-most - 1] > since


def _add(table: dict[str, _Times], owner: str, time: datetime) -> None:
    times = table.get(owner)
    if times is None:
        times = table[owner] = deque(maxlen=MOST)
    times.append(time)
