"""Failures: names that are locked and addresses that are blocked after too many, ever longer.

Counts lie in the store, so all servers know them. The n-th failure beyond the allowed ones locks for `backoff_s` times
2 to the n, up to a longest time; after a while without one all are forgotten. Who fails is kept as an HMAC, since
people type passwords where names belong. The number of those kept is bounded: the oldest go first. An IPv6 address
counts as its /64 network, which is what one customer gets. A name is locked for the address that failed with it, so
that nobody locks out somebody else; only failures from many addresses lock it for all.
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any, Final

from nt_ray.access.errors import AddressBlockedError, LockedOutError, RefusedForNowError
from nt_ray.access.store import AccessStore, millis
from nt_ray.config import Access

MOST_KEPT: Final = 100_000
EVERYWHERE: Final = 10
"""How many times as many failures lock a name for all addresses."""
_PREFIX: Final = 16
"""Bytes of a digest that are those of the subject alone, whatever its place."""
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

    def attempt(self, subject: str, place: str = "") -> None:
        """Check a subject and count a failure ahead, so that attempts at once all count; `clear` takes it back."""
        with self._store.writing() as sql:
            digest = self._digest(subject, place)
            found = self._find(sql, digest)
            self._check(found)
            self._count(sql, digest, found)

    def count(self, subject: str) -> None:
        """Count a failure."""
        with self._store.writing() as sql:
            digest = self._digest(subject)
            self._count(sql, digest, self._find(sql, digest))

    def clear(self, subject: str, place: str | None = None) -> None:
        """Forget the failures of a subject, at one place or at all."""
        with self._store.writing() as sql:
            if place is not None:
                sql.execute("DELETE FROM failures WHERE subject = ?", (self._digest(subject, place),))
                return
            first = self._digest(subject)[:_PREFIX]
            last = first + b"\xff" * (sha256().digest_size - _PREFIX)
            sql.execute("DELETE FROM failures WHERE subject BETWEEN ? AND ?", (first, last))

    def _check(self, found: tuple[int, int, int] | None) -> None:
        left = 0 if found is None or self._is_ahead(found[1]) else found[2] - millis(self._clock())
        if left > 0:
            raise self._refusal(left / 1000)

    def _is_ahead(self, last: int) -> bool:
        """Whether a failure lies so far in the future that the clock must have been set back since."""
        return last > millis(self._clock()) + self._longest_s * 1000

    def _count(self, sql: Any, digest: bytes, found: tuple[int, int, int] | None) -> None:
        now = self._clock()
        count, last, until = found or (0, 0, 0)
        if self._is_ahead(last) or max(last, until) + self._window / timedelta(milliseconds=1) <= millis(now):
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

    def _digest(self, subject: str, place: str = "") -> bytes:
        """Digest of a subject at a place; all those of a subject begin alike."""
        whole = self._hmac(f"{self._kind} {subject}")
        return whole if not place else whole[:_PREFIX] + self._hmac(f"{self._kind} at {place} {subject}")[_PREFIX:]

    def _hmac(self, text: str) -> bytes:
        return hmac.digest(self._pepper, text.encode("utf-8", "surrogatepass"), "sha256")


class LockedNames:
    """Failed logins by name, known or not: of each address for itself, and of all together after many more."""

    def __init__(self, store: AccessStore, pepper: bytes, clock: Callable[[], datetime], settings: Access) -> None:
        def failures(kind: str, after: int) -> Failures:
            return Failures(store, pepper, clock, settings, kind=kind, after=after, refusal=LockedOutError)

        self._store = store
        self._here = failures("name", settings.lockout_after)
        self._everywhere = failures("name everywhere", settings.lockout_after * EVERYWHERE)

    def attempt(self, name: str, place: str) -> None:
        """Raise where a name is locked there, else count a failure ahead."""
        # In one transaction: what either of them refuses is counted at neither.
        with self._store.writing():
            self._here.attempt(name, place)
            self._everywhere.attempt(name)

    def succeeded(self, name: str, place: str) -> None:
        """Forget the failures of a name there, and those of all together."""
        self._here.clear(name, place)
        self._everywhere.clear(name)

    def clear(self, name: str) -> None:
        """Forget all failures of a name."""
        self._here.clear(name)
        self._everywhere.clear(name)


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
