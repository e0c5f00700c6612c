"""Limits of use: requests a minute of each credential and each address, and logins of an address.

The gateway asks before it does anything for a request. Knows nothing of what the requests are for.
"""

import time
from functools import lru_cache
from typing import Final

from nt_ray.access.abuse import origin
from nt_ray.access.buckets import Buckets, LocalBuckets, Rate, Verdict
from nt_ray.access.errors import TooManyRequestsError
from nt_ray.access.roles import Principal
from nt_ray.config import Access

_MINUTE_S: Final = 60.0


class Limits:
    """What the settings allow, counted by buckets."""

    def __init__(self, settings: Access, buckets: Buckets) -> None:
        self._settings = settings
        self._buckets = buckets

    def address(self, address: str) -> Verdict:
        """Count a request of an address, whoever makes it; `TooManyRequestsError` where that is one too many."""
        return self._take(f"address:{origin(address)}", self._settings.address_per_minute)

    def login(self, address: str) -> Verdict:
        """Count a login of an address, in the same way."""
        return self._take(f"login:{origin(address)}", self._settings.logins_per_minute)

    def principal(self, principal: Principal, cost: int = 1) -> Verdict:
        """Count a request of somebody: of his key, or of his sessions together, in the same way."""
        own = principal.per_minute
        key = f"user:{principal.id}" if own is None else f"key:{principal.credential}"
        return self._take(key, self._settings.per_minute if own is None else own, cost)

    def check(self) -> None:
        """Raise where requests cannot be counted now."""
        self._buckets.check()

    def _take(self, key: str, per_minute: int, cost: int = 1) -> Verdict:
        verdict = self._buckets.take(key, _rate(per_minute, self._settings.burst_s), cost)
        if not verdict.allowed:
            raise TooManyRequestsError(verdict.retry_after_s)
        return verdict


@lru_cache(maxsize=256)
def _rate(per_minute: int, burst_s: float) -> Rate:
    return Rate(per_minute, max(1, int(per_minute * burst_s / _MINUTE_S)))


def open_limits(settings: Access) -> Limits:
    """Limits counted on Redis where the settings name one, else in this process."""
    return Limits(settings, open_buckets(settings))


def open_buckets(settings: Access) -> Buckets:
    """Buckets on Redis where the settings name one, else in this process."""
    if settings.redis is None:
        return LocalBuckets(time.monotonic)
    from nt_ray.access.redis_buckets import RedisBuckets, connect

    return RedisBuckets(connect(settings.redis.get_secret_value()))
