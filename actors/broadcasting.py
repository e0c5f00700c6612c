"""Passes a run's news on to the actor of the stream, where there is one; nothing is waited for."""

import time
from collections.abc import Sequence
from typing import Any, Final

import ray
from ray.exceptions import RayError

from actors import stream
from nt_ray.trader.event_stream import News

LOOK_S: Final = 2.0
"""Seconds until the stream is looked for again where there was none."""

UNDER_WAY: Final = 4
"""Messages that may be under way at once."""


class ToStream:
    """Publishes to the actor of the stream. News that come while there is none are not told."""

    def __init__(self) -> None:
        self._actor: Any = None
        self._sent: list[Any] = []
        self._next = 0.0

    def __call__(self, told: Sequence[News]) -> None:
        """Pass news on."""
        if self._actor is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + LOOK_S
            try:
                self._actor = stream.find()
            except (ValueError, RayError):
                return
        if self._actor is not None and self._has_room():
            self._sent.append(self._actor.publish.remote(list(told)))

    def _has_room(self) -> bool:
        """Whether little is under way: whoever is slow or away gets no heap of old news later."""
        if not self._sent:
            return True
        arrived, self._sent = ray.wait(self._sent, num_returns=len(self._sent), timeout=0)
        try:
            ray.get(arrived)
        except RayError:
            # It has died, and is found again by its name.
            self._actor, self._sent = None, []
        return self._actor is not None and len(self._sent) < UNDER_WAY
