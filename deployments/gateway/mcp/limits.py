"""Calls a minute, for each caller and category; a bucket holds a minute's worth."""

import time
from collections.abc import Mapping

from deployments.gateway.mcp.categories import PER_MINUTE, Category
from deployments.gateway.mcp.problems import TooManyCallsError
from nt_ray.access.buckets import Buckets, LocalBuckets, Rate


class CallLimits:
    """Limits over any buckets; those of this process unless others are given."""

    def __init__(self, buckets: Buckets | None = None, per_minute: Mapping[Category, int] = PER_MINUTE) -> None:
        self._buckets = LocalBuckets(time.monotonic) if buckets is None else buckets
        self._rates = {category: Rate(limit, limit) for category, limit in per_minute.items()}

    def take(self, caller: str, category: Category) -> None:
        """Count a call; `TooManyCallsError` where the caller has none left."""
        rate = self._rates[category]
        told = self._buckets.take(f"mcp:{category.value}:{caller}", rate)
        if not told.allowed:
            raise TooManyCallsError(category, rate.per_minute, told.retry_after_s)
