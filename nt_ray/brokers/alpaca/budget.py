"""The rate budget of one key: a window of one minute, of which shares are kept for cancels and for orders.

Guarantees: no more than `limit` requests leave in any minute; no order leaves once `limit - reserve` have, and no
question once `limit - reserve - orders` have. So an order can be cancelled when nothing else can be sent, and asking
starves no order. A request without budget raises `RateLimitedError` and is not sent. Where the venue says that too much
was asked, all but cancels wait as long as it says; a cancel waits only after one was turned away itself, each time
twice as long. Requests of other processes with the same key are counted as the venue's headers tell of them.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nt_ray.brokers.base import RateLimitedError
from nt_ray.errors import ConfigError

WINDOW_S: Final = 60.0

_FIRST_URGENT_S: Final = 0.5
_LONGEST_URGENT_S: Final = 8.0
"""Seconds that a cancel waits after the first that was turned away, and at most."""


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """Requests that may still leave now: cancels, orders, questions; `limit` is what a minute allows."""

    limit: int
    cancels: int
    orders: int
    questions: int


class Budget:
    """Requests that may still be made; safe to share between threads."""

    def __init__(self, limit: int, reserve: int, clock: Callable[[], float], orders: int = 0) -> None:
        if not 0 <= reserve + orders < limit:
            raise ConfigError(f"A reserve of {reserve + orders} out of {limit} requests leaves none. Keep less.")
        self._own = (limit, reserve, orders)
        self._limit, self._reserve, self._orders = self._own
        self._clock = clock
        self._made: deque[tuple[float, int]] = deque()
        """When requests were made, and how many."""
        self._count = 0
        self._closed_until = self._urgent_closed_until = float("-inf")
        self._refused = 0
        self._lock = threading.Lock()

    def take(self, *, urgent: bool = False, order: bool = False) -> None:
        """Count one request, an `urgent` one, an `order` or a question; raise `RateLimitedError` without budget."""
        with self._lock:
            now = self._forget_old()
            allowed = self._limit - self._kept(urgent=urgent, order=order)
            if self._count >= allowed:
                raise _limited(self._free_at(allowed) - now)
            closed_until = self._urgent_closed_until if urgent else self._closed_until
            if now < closed_until:
                raise _limited(closed_until - now)
            self._note(now, 1)

    def close_for(self, seconds: float, *, urgent: bool = False) -> None:
        """Let nothing but cancels leave for a while, because the venue said so; after an `urgent` one those neither."""
        with self._lock:
            now = self._clock()
            self._closed_until = max(self._closed_until, now + seconds)
            if urgent:
                pause = min(_FIRST_URGENT_S * 2.0 ** min(self._refused, 10), _LONGEST_URGENT_S, seconds)
                self._urgent_closed_until = now + pause
                self._refused += 1

    def passed(self) -> None:
        """Note that the venue took an urgent request: the next one that it turns away waits briefly again."""
        with self._lock:
            self._refused = 0

    def observe(self, remaining: int, limit: int | None = None) -> None:
        """Take in what the venue says is left in its own window, and its limit: neither is ever more than it is here.

        Where its limit is the lower one, the shares that are kept are the same parts of that.
        """
        with self._lock:
            now = self._forget_old()
            most, reserve, orders = self._own
            if limit is not None and limit > 0:
                self._limit = min(most, limit)
                self._reserve, self._orders = (part * self._limit // most for part in (reserve, orders))
            unseen = self._limit - max(remaining, 0) - self._count
            if unseen > 0:
                self._note(now, unseen)

    def left(self) -> BudgetLeft:
        """Say how much may still leave at this moment."""
        with self._lock:
            now = self._forget_old()
            made, is_closed = self._count, now < self._closed_until
            free = {
                kind: max(self._limit - self._kept(urgent=kind == "cancels", order=kind == "orders") - made, 0)
                for kind in ("cancels", "orders", "questions")
            }
            if is_closed:
                free |= {"orders": 0, "questions": 0}
            if now < self._urgent_closed_until:
                free["cancels"] = 0
            return BudgetLeft(self._limit, **free)

    def _kept(self, *, urgent: bool, order: bool) -> int:
        return 0 if urgent else self._reserve if order else self._reserve + self._orders

    def _note(self, now: float, count: int) -> None:
        self._made.append((now, count))
        self._count += count

    def _free_at(self, allowed: int) -> float:
        """Time at which so many were made that one of `allowed` is free."""
        left = self._count
        for time, count in self._made:
            left -= count
            if left < allowed:
                return time + WINDOW_S
        return self._clock() + WINDOW_S

    def _forget_old(self) -> float:
        now = self._clock()
        while self._made and self._made[0][0] <= now - WINDOW_S:
            self._count -= self._made.popleft()[1]
        return now


def _limited(wait: float) -> RateLimitedError:
    return RateLimitedError(f"The request budget of the Alpaca key is spent. Ask again after {wait:.1f} s.", wait)
