"""Calls a minute, for each caller and category; a bucket holds a minute's worth."""

import time
from collections.abc import Mapping

import anyio.to_thread

from deployments.gateway.mcp.categories import PER_MINUTE, Category
from deployments.gateway.mcp.problems import TooManyCallsError
from nt_ray.access.buckets import Buckets, LocalBuckets, Rate


class CallLimits:
    """Limits over any buckets; those of this process unless others are given."""

    def __init__(self, buckets: Buckets | None = None, per_minute: Mapping[Category, int] = PER_MINUTE) -> None:
        self._buckets = LocalBuckets(time.monotonic) if buckets is None else buckets
        self._rates = {category: Rate(limit, limit) for category, limit in per_minute.items()}

    async def take(self, caller: str, category: Category) -> None:
        """Count a call; `TooManyCallsError` where the caller has none left."""
        key, rate = f"mcp:{category.value}:{caller}", self._rates[category]
        if isinstance(self._buckets, LocalBuckets):
            told = self._buckets.take(key, rate)
        else:
            # Another server counts, so it is asked in a thread.
            told = await anyio.to_thread.run_sync(self._buckets.take, key, rate)
        if not told.allowed:
            raise TooManyCallsError(category, rate.per_minute, told.retry_after_s)
