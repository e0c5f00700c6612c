"""Sessions: what begins with a login and lives by refresh tokens, each good for one use.

A refresh token is 256 random bits, kept as an HMAC. Using it gives the next one, in the same transaction. One that is
used a second time was stolen, before or after: its whole session is revoked, with the access tokens that name it.
A session also ends by logging out, with its user, and after `session_days` in any case.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from nt_ray.access.columns import listed, scopes_of
from nt_ray.access.errors import TokenError, TokenExpiredError, TokenReplayedError, TokenRevokedError
from nt_ray.access.roles import Scope
from nt_ray.access.store import AccessStore, millis, moment
from nt_ray.config import Access

PREFIX: Final = "ntr_"
_LONGEST: Final = 128


@dataclass(frozen=True, slots=True)
class Session:
    """A session that holds, and the refresh token that continues it."""

    id: str
    user: str
    scopes: frozenset[Scope] | None
    expires: datetime
    refresh: str = field(repr=False)


class Sessions:
    """The sessions of a store."""

    def __init__(self, store: AccessStore, settings: Access, pepper: bytes, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._pepper = pepper
        self._clock = clock
        self._refresh_for = timedelta(days=settings.refresh_days)
        self._session_for = timedelta(days=settings.session_days)
        # Ids of revoked access tokens are kept until the tokens have expired.
        self._access_for = timedelta(minutes=settings.access_minutes, seconds=settings.leeway_s)

    def start(self, user: str, scopes: frozenset[Scope] | None) -> Session:
        """Begin a session."""
        now, id_ = self._clock(), secrets.token_hex(16)
        with self._store.writing() as sql:
            self._forget(sql, now)
            expires = now + self._session_for
            row = (id_, user, listed(scopes), millis(now), millis(expires))
            sql.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, NULL)", row)
            return Session(id_, user, scopes, expires, self._issue(sql, id_, now))

    def rotate(self, refresh: str) -> Session:
        """Take a refresh token for the next one; a used one revokes its session and raises `TokenReplayedError`."""
        with self._store.writing() as sql:
            found = self._find(sql, refresh)
            # Raised after the transaction, which keeps the revocation.
            session = self._use(sql, found, refresh) if found is not None else None
        if found is None:
            raise TokenError
        if session is None:
            raise TokenReplayedError
        return session

    def end(self, id_: str) -> None:
        """Revoke a session."""
        with self._store.writing() as sql:
            self._revoke(sql, id_)

    def end_by(self, refresh: str) -> str | None:
        """Revoke the session of a refresh token, used or not, and give its user; None where it is none of ours."""
        with self._store.writing() as sql:
            found = self._find(sql, refresh)
            if found is None:
                return None
            self._revoke(sql, found[0])
            return str(found[1])

    def revoke_token(self, jti: str) -> None:
        """Withdraw one access token; its session goes on."""
        with self._store.writing() as sql:
            row = (jti, millis(self._clock() + self._access_for))
            sql.execute("INSERT OR IGNORE INTO revocations VALUES (?, ?)", row)

    def check(self, id_: str, jti: str) -> str:
        """Give the user of a session and token that hold; else raise `TokenRevokedError`."""
        with self._store.reading() as sql:
            row = sql.execute("SELECT user, revoked FROM sessions WHERE id = ?", (id_,)).fetchone()
            if row is None or row[1] is not None:
                raise TokenRevokedError
            if sql.execute("SELECT 1 FROM revocations WHERE jti = ?", (jti,)).fetchone() is not None:
                raise TokenRevokedError
        return str(row[0])

    def _find(self, sql: Any, refresh: str) -> tuple[Any, ...] | None:
        if not refresh.startswith(PREFIX) or len(refresh) > _LONGEST:
            return None
        row: tuple[Any, ...] | None = sql.execute(
            "SELECT s.id, s.user, s.scopes, s.expires, s.revoked, r.expires, r.used FROM refreshes r JOIN sessions s "
            "ON s.id = r.session WHERE r.digest = ?",
            (self._digest(refresh),),
        ).fetchone()
        return row

    def _use(self, sql: Any, found: tuple[Any, ...], refresh: str) -> Session | None:
        id_, user, scopes, session_expires, revoked, expires, used = found
        now = self._clock()
        if used is not None:
            self._revoke(sql, id_)
            return None
        if revoked is not None:
            raise TokenRevokedError
        if millis(now) >= min(expires, session_expires):
            raise TokenExpiredError
        sql.execute("UPDATE refreshes SET used = ? WHERE digest = ?", (millis(now), self._digest(refresh)))
        return Session(id_, user, scopes_of(scopes), moment(session_expires), self._issue(sql, id_, now))

    def _issue(self, sql: Any, session: str, now: datetime) -> str:
        refresh = f"{PREFIX}{secrets.token_urlsafe(32)}"
        row = (self._digest(refresh), session, millis(now + self._refresh_for))
        sql.execute("INSERT INTO refreshes VALUES (?, ?, ?, NULL)", row)
        return refresh

    def _revoke(self, sql: Any, id_: str) -> None:
        sql.execute("UPDATE sessions SET revoked = ? WHERE id = ? AND revoked IS NULL", (millis(self._clock()), id_))

    def _digest(self, refresh: str) -> bytes:
        return hmac.digest(self._pepper, f"refresh {refresh}".encode("utf-8", "surrogatepass"), "sha256")

    def _forget(self, sql: Any, now: datetime) -> None:
        """Remove what is over: no token that names it can still hold."""
        sql.execute("DELETE FROM revocations WHERE expires < ?", (millis(now),))
        sql.execute("DELETE FROM sessions WHERE expires < ?", (millis(now),))
