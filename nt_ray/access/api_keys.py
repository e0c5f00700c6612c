"""API keys: a public id and a secret that is shown once, as `nt_ID_SECRET` or as a pair of headers.

Kept is HMAC-SHA256 of both with a pepper that lies elsewhere: a secret of 256 random bits needs no slow hash. A key
belongs to a user and may do no more than he; its own scopes, accounts, limit and end narrow that further. Rotation
makes a second key like the first, which then ends after an overlap. Secrets are compared in constant time.
"""

import hmac
import secrets
from base64 import b32encode
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from nt_ray.access.columns import accounts_of, listed, scopes_of
from nt_ray.access.errors import AccessInputError, CredentialsError, KeyExpiredError, KeyRevokedError
from nt_ray.access.roles import GRANTS, Scope
from nt_ray.access.store import AccessStore, millis, moment, optional_moment
from nt_ray.access.users import Users

PREFIX: Final = "nt_"
_ID_BYTES: Final = 10
_SECRET_BYTES: Final = 32
_LONGEST: Final = 256
_TOUCH_EVERY: Final = timedelta(minutes=1)
_COLUMNS: Final = (
    "id, user, label, scopes, accounts, per_minute, created, expires, revoked, replaced_by, last_used, digest"
)


class UnknownKeyError(AccessInputError):
    """A key that does not exist."""

    code = "unknown_key"
    status = 404

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no key {key[:40]!r}. `nt-ray access keys list` names all.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret."""

    id: str
    user: str
    label: str
    scopes: frozenset[Scope] | None
    accounts: frozenset[str] | None
    per_minute: int | None
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    replaced_by: str | None
    last_used: datetime | None
    """Last use, to about a minute."""

    def facts(self) -> dict[str, Any]:
        """Everything by name, sets as sorted lists."""
        return {name: sorted(v) if isinstance(v, frozenset) else v for name, v in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key with its secret: the one time that it is seen."""

    key: ApiKey
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """Id and secret in one."""
        return f"{PREFIX}{self.key.id}_{self.secret}"


class ApiKeys:
    """The keys of a store."""

    def __init__(self, store: AccessStore, users: Users, pepper: bytes, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._users = users
        self._pepper = pepper
        self._clock = clock

    def add(
        self,
        user: str,
        *,
        label: str = "",
        scopes: Iterable[Scope] | None = None,
        accounts: Iterable[str] | None = None,
        per_minute: int | None = None,
        lifetime: timedelta | None = None,
    ) -> NewKey:
        """Make a key of a user; None grants what he may, without a limit or an end of its own."""
        now = self._clock()
        with self._store.writing():
            owner = self._users.get(user)
            scopes = None if scopes is None else frozenset(scopes)
            accounts = None if accounts is None else frozenset(accounts)
            if scopes is not None and (beyond := scopes - GRANTS[owner.role]):
                raise AccessInputError(f"{user} is {owner.role} and has no {', '.join(sorted(beyond))}. Leave it out.")
            if accounts is not None and owner.accounts is not None and (foreign := accounts - owner.accounts):
                raise AccessInputError(f"{user} has no account {', '.join(sorted(foreign))}. Leave it out.")
            if (lifetime is not None and lifetime <= timedelta(0)) or (per_minute is not None and per_minute < 1):
                raise AccessInputError("A key holds for a while and allows a request a minute. Give more than nothing.")
            return self._insert(user, label, scopes, accounts, per_minute, None if lifetime is None else now + lifetime)

    def check(self, id_: str, secret: str) -> ApiKey:
        """Give the key where the secret is its own and it holds; else raise, in as much time for an unknown one."""
        if len(id_) + len(secret) > _LONGEST or not id_.isascii():
            raise CredentialsError
        with self._store.reading() as sql:
            row = sql.execute(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", (id_,)).fetchone()  # noqa: S608
        stored = bytes(sha256().digest_size) if row is None else row[-1]
        right = hmac.compare_digest(stored, self._digest(id_, secret))
        if row is None or not right:
            raise CredentialsError
        key = _key(row)
        self.use(key)
        return key

    def use(self, key: ApiKey) -> None:
        """Note that a key was used, now and then; raise where it holds no longer."""
        self.check_time(key)
        if self.is_use_due(key):
            with self._store.writing() as sql:
                sql.execute("UPDATE keys SET last_used = ? WHERE id = ?", (millis(self._clock()), key.id))

    def is_use_due(self, key: ApiKey) -> bool:
        """Whether a use is to be noted: rarely, since each change makes every server ask anew for what it remembers."""
        return key.last_used is None or self._clock() - key.last_used >= _TOUCH_EVERY

    def check_time(self, key: ApiKey) -> None:
        """Raise where a key was revoked or its time is over."""
        if key.revoked is not None:
            raise KeyRevokedError(key.id)
        if key.expires is not None and self._clock() >= key.expires:
            raise KeyExpiredError(key.id)

    def get(self, id_: str) -> ApiKey:
        """Find a key; `UnknownKeyError` where there is none."""
        if not id_.isascii():
            raise UnknownKeyError(id_)
        with self._store.reading() as sql:
            row = sql.execute(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", (id_,)).fetchone()  # noqa: S608
        if row is None:
            raise UnknownKeyError(id_)
        return _key(row)

    def all(self, user: str | None = None) -> list[ApiKey]:
        """List keys, of one user or of all, oldest first."""
        with self._store.reading() as sql:
            rows = sql.execute(f"SELECT {_COLUMNS} FROM keys ORDER BY created, id")  # noqa: S608
            return [key for key in map(_key, rows) if user in (None, key.user)]

    def rotate(self, id_: str, overlap: timedelta) -> NewKey:
        """Make a key like one that holds, for as long again; the old one ends after the overlap."""
        if overlap < timedelta(0):
            raise AccessInputError(f"An overlap of {overlap} ends before it begins. Give 0 or more.")
        now = self._clock()
        with self._store.writing() as sql:
            old = self.get(id_)
            self.check_time(old)
            if old.replaced_by is not None:
                raise AccessInputError(f"The key {id_} was rotated to {old.replaced_by}. Rotate that one.")
            expires = None if old.expires is None else now + (old.expires - old.created)
            new = self._insert(old.user, old.label, old.scopes, old.accounts, old.per_minute, expires)
            end = now + overlap if old.expires is None else min(old.expires, now + overlap)
            sql.execute("UPDATE keys SET expires = ?, replaced_by = ? WHERE id = ?", (millis(end), new.key.id, id_))
        return new

    def revoke(self, id_: str) -> None:
        """Withdraw a key, at once and for good."""
        with self._store.writing() as sql:
            self.get(id_)
            sql.execute("UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", (millis(self._clock()), id_))

    def _insert(
        self,
        user: str,
        label: str,
        scopes: frozenset[Scope] | None,
        accounts: frozenset[str] | None,
        per_minute: int | None,
        expires: datetime | None,
    ) -> NewKey:
        id_, secret = _random(_ID_BYTES).upper(), _random(_SECRET_BYTES)
        row = (id_, self._digest(id_, secret), user, _plain(label), listed(scopes), listed(accounts), per_minute)
        times = (millis(self._clock()), None if expires is None else millis(expires), None, None, None)
        with self._store.writing() as sql:
            sql.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, *times))
        return NewKey(self.get(id_), secret)

    def _digest(self, id_: str, secret: str) -> bytes:
        return hmac.digest(self._pepper, f"key {id_} {secret}".encode("utf-8", "surrogatepass"), "sha256")


def split(text: str) -> tuple[str, str] | None:
    """Id and secret of a key's text, or None where it is no key."""
    if not text.startswith(PREFIX):
        return None
    id_, _, secret = text.removeprefix(PREFIX).partition("_")
    return id_, secret


def _plain(label: str) -> str:
    return label[:200].encode("utf-8", "replace").decode()


def _random(size: int) -> str:
    return b32encode(secrets.token_bytes(size)).decode().rstrip("=").lower()


def _key(row: tuple[Any, ...]) -> ApiKey:
    id_, user, label, scopes, accounts, per_minute, created, expires, revoked, replaced_by, last_used, _ = row
    return ApiKey(
        id=id_,
        user=user,
        label=label,
        scopes=scopes_of(scopes),
        accounts=accounts_of(accounts),
        per_minute=per_minute,
        created=moment(created),
        expires=optional_moment(expires),
        revoked=optional_moment(revoked),
        replaced_by=replaced_by,
        last_used=optional_moment(last_used),
    )
