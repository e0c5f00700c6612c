"""Token buckets: how often something may be done, with bursts, counted in this process.

A bucket holds `burst` tokens and gains `per_minute` a minute; a request takes some or is refused. Kept is one number a
key, the time at which the bucket will be full again (the generic cell rate algorithm, ITU-T I.371, which is the same
rule): a full bucket needs none. Memory is bounded; when it is used up by buckets that are not full, further keys are
refused rather than forgotten ones let through.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from nt_ray.access.errors import AccessInputError

MOST_KEPT: Final = 100_000
_SWEEP_EVERY_S: Final = 1.0
ROUNDING_S: Final = 1e-6
"""Seconds by which a bucket may be overdrawn: rounding of clocks, less than the token of any rate."""
FASTEST: Final = 10_000_000
"""Most tokens a minute."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens that a bucket gains a minute, and how many it holds."""

    per_minute: int
    burst: int

    def __post_init__(self) -> None:
        if not 1 <= self.per_minute <= FASTEST or self.burst < 1:
            raise AccessInputError(
                f"{self.per_minute} a minute, {self.burst} at once is no rate. Give 1 to {FASTEST} a minute and 1 or "
                "more at once."
            )

    @property
    def interval_s(self) -> float:
        """Seconds in which a token is gained."""
        return 60.0 / self.per_minute


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on; how many more could at once; when it may be tried again, when the bucket is full."""

    allowed: bool
    remaining: int
    retry_after_s: float
    full_after_s: float


class Buckets(Protocol):
    """Buckets by key."""

    def take(self, key: str, rate: Rate, cost: int = 1) -> Verdict:
        """Take tokens out of the bucket of a key, or none where there are too few; more than it holds empty it."""
        ...

    def check(self) -> None:
        """Raise where nothing can be counted now."""
        ...


class LocalBuckets:
    """Buckets in this process; safe to share between threads. `clock` gives seconds and never runs backwards."""

    def __init__(self, clock: Callable[[], float], most: int = MOST_KEPT) -> None:
        self._clock = clock
        self._most = most
        self._full_at: dict[str, float] = {}
        self._swept_at = float("-inf")
        self._lock = threading.Lock()

    def take(self, key: str, rate: Rate, cost: int = 1) -> Verdict:
        """Take tokens out of the bucket of a key, or none where there are too few."""
        with self._lock:
            now = self._clock()
            if key not in self._full_at and len(self._full_at) >= self._most and not self._room(now):
                return Verdict(allowed=False, remaining=0, retry_after_s=_SWEEP_EVERY_S, full_after_s=_SWEEP_EVERY_S)
            found = verdict(max(self._full_at.get(key, now) - now, 0.0), rate, cost)
            if found.allowed:
                self._full_at[key] = now + found.full_after_s
            return found

    def check(self) -> None:
        """Nothing keeps this process from counting."""

    def __len__(self) -> int:
        return len(self._full_at)

    def _room(self, now: float) -> bool:
        """Forget full buckets, but not at each request of a flood."""
        if now - self._swept_at >= _SWEEP_EVERY_S:
            self._swept_at = now
            self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        return len(self._full_at) < self._most


def spending_s(rate: Rate, cost: int) -> float:
    """Seconds by which a request of that cost puts off when the bucket is full."""
    if cost < 1:
        raise AccessInputError(f"A request cannot cost {cost}. Give 1 or more.")
    return min(cost, rate.burst) * rate.interval_s


def verdict(full_after_s: float, rate: Rate, cost: int, *, allowed: bool | None = None) -> Verdict:
    """Verdict on a bucket that would be full after that many seconds; `allowed` where that is decided already."""
    holds = rate.burst * rate.interval_s
    after = full_after_s + spending_s(rate, cost)
    if allowed is None:
        allowed = after <= holds + ROUNDING_S
    spent = after if allowed else full_after_s
    remaining = max(int((holds + ROUNDING_S - spent) / rate.interval_s), 0)
    return Verdict(allowed, remaining, 0.0 if allowed else max(after - holds, ROUNDING_S), spent)
