"""Token buckets on Redis: one count for all processes, by the clock of the Redis server.

Each request is one script, which Redis runs as a whole. It keeps the time at which the bucket will be full, in
microseconds, and lets it expire then. Fails closed: without an answer in time nothing is allowed, and
`BucketsUnavailableError` says why.
"""

from typing import Any, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from nt_ray.access.buckets import ROUNDING_S, Rate, Verdict, spending_s, verdict
from nt_ray.errors import ConfigError, ServiceError

_TIMEOUT_S: Final = 0.25
_NAMESPACE: Final = "nt-ray:bucket:"
# KEYS: bucket. ARGV: microseconds that the request costs and that the bucket holds. Answer: whether it was allowed, and
# the microseconds until the bucket was full, before the request.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local full_after = math.max(tonumber(redis.call('GET', KEYS[1]) or now) - now, 0)
local after = full_after + tonumber(ARGV[1])
if after > tonumber(ARGV[2]) then
  return {0, string.format('%.3f', full_after)}
end
redis.call('SET', KEYS[1], string.format('%.3f', now + after), 'PX', math.ceil(after / 1000) + 1)
return {1, string.format('%.3f', full_after)}
"""


class BucketsUnavailableError(ServiceError):
    """Requests cannot be counted, so none is let through."""

    code = "buckets_unavailable"

    def __init__(self) -> None:
        super().__init__("Requests cannot be counted, so none is let through. Start the Redis of access.redis.")


class RedisBuckets:
    """Buckets of all processes that use one Redis."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._take = client.register_script(_TAKE)

    def take(self, key: str, rate: Rate, cost: int = 1) -> Verdict:
        """Take tokens out of the bucket of a key, or none where there are too few."""
        spent, holds = spending_s(rate, cost), rate.burst * rate.interval_s + ROUNDING_S
        try:
            answer: Any = self._take(keys=[_NAMESPACE + key], args=[f"{spent * 1e6:.3f}", f"{holds * 1e6:.3f}"])
        except (RedisError, OSError) as error:
            raise BucketsUnavailableError from error
        allowed, full_after = answer
        return verdict(float(full_after) / 1e6, rate, cost, allowed=bool(allowed))

    def check(self) -> None:
        """Raise `BucketsUnavailableError` where Redis does not answer."""
        try:
            self._client.ping()
        except (RedisError, OSError) as error:
            raise BucketsUnavailableError from error


def connect(url: str) -> Redis:
    """Give a client that answers soon or fails; nothing is sent yet."""
    try:
        return Redis.from_url(
            url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
    except ValueError:
        # Its text may hold the password.
        raise ConfigError("access.redis is no address. Write redis://USER:PASSWORD@HOST:PORT/NUMBER.") from None
