"""The rate budget of one key: a window of one minute, of which shares are kept for cancels and for orders.

Guarantees: no more than `limit` requests leave in any minute; no order leaves once `limit - reserve` have, and no
question once `limit - reserve - orders` have. So an order can be cancelled when nothing else can be sent, and asking
starves no order. A request without budget raises `RateLimitedError`
and is not sent. Requests of other processes with the same key are counted as the venue's headers tell of them.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from nt_ray.brokers.base import RateLimitedError
from nt_ray.errors import ConfigError

WINDOW_S: Final = 60.0


class Budget:
    """Requests that may still be made; safe to share between threads."""

    def __init__(self, limit: int, reserve: int, clock: Callable[[], float], orders: int = 0) -> None:
        if not 0 <= reserve + orders < limit:
            raise ConfigError(f"A reserve of {reserve + orders} out of {limit} requests leaves none. Keep less.")
        self._orders = orders
        self._limit = limit
        self._reserve = reserve
        self._clock = clock
        self._made: deque[float] = deque()
        self._closed_until = float("-inf")
        self._lock = threading.Lock()

    def take(self, *, urgent: bool = False, order: bool = False) -> None:
        """Count one request, an `urgent` one, an `order` or a question; raise `RateLimitedError` without budget."""
        with self._lock:
            now = self._forget_old()
            kept = 0 if urgent else self._reserve if order else self._reserve + self._orders
            allowed = self._limit - kept
            if len(self._made) >= allowed:
                raise _limited(self._made[len(self._made) - allowed] + WINDOW_S - now)
            if now < self._closed_until:
                raise _limited(self._closed_until - now)
            self._made.append(now)

    def close_for(self, seconds: float) -> None:
        """Let nothing leave for a while, because the venue said so."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def observe(self, remaining: int) -> None:
        """Take in how many requests the venue says are left in its own window."""
        with self._lock:
            now = self._forget_old()
            unseen = self._limit - max(remaining, 0) - len(self._made)
            self._made.extend([now] * max(unseen, 0))

    def _forget_old(self) -> float:
        now = self._clock()
        while self._made and self._made[0] <= now - WINDOW_S:
            self._made.popleft()
        return now


def _limited(wait: float) -> RateLimitedError:
    return RateLimitedError(f"The request budget of the Alpaca key is spent. Ask again after {wait:.1f} s.", wait)
