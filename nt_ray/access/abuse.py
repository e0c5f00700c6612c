"""Failures: names that are locked and addresses that are blocked after too many, ever longer.

Counts lie in the store, so all servers know them. The n-th failure beyond the allowed ones locks for `backoff_s` times
2 to the n, up to a longest time; after a while without one all are forgotten. Who fails is kept as an HMAC, since
people type passwords where names belong. The number of those kept is bounded: the oldest go first. An IPv6 address
counts as its /64 network, which is what one customer gets.
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any, Final

from nt_ray.access.errors import AddressBlockedError, LockedOutError, RefusedForNowError
from nt_ray.access.store import AccessStore, millis
from nt_ray.config import Access

MOST_KEPT: Final = 100_000
_PREFIX_OF_IPV6: Final = 64


class Failures:
    """Failures of one kind, counted by who made them."""

    def __init__(
        self,
        store: AccessStore,
        pepper: bytes,
        clock: Callable[[], datetime],
        settings: Access,
        *,
        kind: str,
        after: int,
        refusal: Callable[[float], RefusedForNowError],
    ) -> None:
        self._store, self._pepper, self._clock = store, pepper, clock
        self._kind, self._after, self._refusal = kind, after, refusal
        self._backoff_s, self._longest_s = settings.backoff_s, settings.longest_backoff_s
        self._window = timedelta(seconds=settings.failure_window_s)

    def check(self, subject: str) -> None:
        """Raise where a subject is refused for now."""
        with self._store.reading() as sql:
            self._check(self._find(sql, self._digest(subject)))

    def attempt(self, subject: str) -> None:
        """Check a subject and count a failure ahead, so that attempts at once all count; `clear` takes it back."""
        with self._store.writing() as sql:
            digest = self._digest(subject)
            found = self._find(sql, digest)
            self._check(found)
            self._count(sql, digest, found)

    def count(self, subject: str) -> None:
        """Count a failure."""
        with self._store.writing() as sql:
            digest = self._digest(subject)
            self._count(sql, digest, self._find(sql, digest))

    def clear(self, subject: str) -> None:
        """Forget the failures of a subject."""
        with self._store.writing() as sql:
            sql.execute("DELETE FROM failures WHERE subject = ?", (self._digest(subject),))

    def _check(self, found: tuple[int, int, int] | None) -> None:
        left = 0 if found is None else found[2] - millis(self._clock())
        if left > 0:
            raise self._refusal(left / 1000)

    def _count(self, sql: Any, digest: bytes, found: tuple[int, int, int] | None) -> None:
        now = self._clock()
        count, last, until = found or (0, 0, 0)
        if max(last, until) + self._window / timedelta(milliseconds=1) <= millis(now):
            count = 0
        count += 1
        row = (digest, count, millis(now), millis(now + self._lock_for(count)))
        sql.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", row)
        if found is None:
            self._bound(sql)

    def _lock_for(self, count: int) -> timedelta:
        beyond = count - self._after
        if beyond < 0:
            return timedelta(0)
        return timedelta(seconds=min(self._backoff_s * 2.0 ** min(beyond, 60), self._longest_s))

    def _find(self, sql: Any, digest: bytes) -> tuple[int, int, int] | None:
        row: tuple[int, int, int] | None = sql.execute(
            "SELECT count, last, until FROM failures WHERE subject = ?", (digest,)
        ).fetchone()
        return row

    def _bound(self, sql: Any) -> None:
        if sql.execute("SELECT count(*) FROM failures").fetchone()[0] > MOST_KEPT:
            sql.execute(
                "DELETE FROM failures WHERE subject IN (SELECT subject FROM failures ORDER BY last LIMIT ?)",
                (MOST_KEPT // 10,),
            )

    def _digest(self, subject: str) -> bytes:
        return hmac.digest(self._pepper, f"{self._kind} {subject}".encode("utf-8", "surrogatepass"), "sha256")


def locked_names(store: AccessStore, pepper: bytes, clock: Callable[[], datetime], settings: Access) -> Failures:
    """Failed logins by name, known or not."""
    return Failures(store, pepper, clock, settings, kind="name", after=settings.lockout_after, refusal=LockedOutError)


def blocked_addresses(store: AccessStore, pepper: bytes, clock: Callable[[], datetime], settings: Access) -> Failures:
    """False credentials of any kind by address."""
    return Failures(
        store, pepper, clock, settings, kind="address", after=settings.block_after, refusal=AddressBlockedError
    )


@lru_cache(maxsize=4096)
def origin(address: str) -> str:
    """What an address counts as: itself, or its network; what is none stays as it is."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, _PREFIX_OF_IPV6), strict=False))
