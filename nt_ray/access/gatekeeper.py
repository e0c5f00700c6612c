"""The gatekeeper: from what a request shows to who it is, or to why not.

Takes a bearer token or key, an `X-API-Key`, or the pair of headers of Alpaca's clients; two of them at once are
refused. Who he is and what he may do come from the store at each request, so that every change, by whichever process,
holds at the next one; answers are remembered only while nobody has changed the store. False credentials count against
the address, failed logins also against the name. A blocked address gets no further guess: no password is checked for
it, and what is false is refused unsaid. Keys and tokens that hold open all the same, so that nobody shuts out those who
share his address. A login blocks its thread while the password is checked. Knows no HTTP beyond headers.
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from nt_ray.access.abuse import LockedNames, blocked_addresses, origin
from nt_ray.access.api_keys import ApiKey, ApiKeys, split
from nt_ray.access.columns import common
from nt_ray.access.errors import (
    CredentialsError,
    KeyRevokedError,
    TokenError,
    TokenExpiredError,
    TokenRevokedError,
)
from nt_ray.access.passwords import Passwords
from nt_ray.access.roles import GRANTS, ForbiddenError, Principal, Role, Scope, UnauthenticatedError
from nt_ray.access.server_secrets import server_secrets
from nt_ray.access.sessions import Session, Sessions
from nt_ray.access.store import AccessStore
from nt_ray.access.tokens import Claims, Signer
from nt_ray.access.users import Users
from nt_ray.config import Access

FIRST_ADMIN: Final = "admin"
_MOST_REMEMBERED: Final = 4096
_HEADERS: Final = frozenset({"authorization", "x-api-key", "apca-api-key-id", "apca-api-secret-key"})
_SEVERAL: Final = "The request shows several credentials. Send one."


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a login gives."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_in_s: int
    user: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class _Known:
    """Somebody who was let in, and what time has to say about it."""

    principal: Principal
    key: ApiKey | None
    claims: Claims | None


class Gatekeeper:
    """Lets in who shows that he may; safe to share between threads."""

    def __init__(self, store: AccessStore, settings: Access, clock: Callable[[], datetime]) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        own = server_secrets(settings)
        self._signer = Signer(settings, own.token, clock)
        self._names = LockedNames(store, own.pepper, clock, settings)
        self._addresses = blocked_addresses(store, own.pepper, clock, settings)
        self.users = Users(store, Passwords(settings.password_memory_mb, settings.password_passes), clock)
        self.keys = ApiKeys(store, self.users, own.pepper, clock)
        self.sessions = Sessions(store, settings, own.pepper, clock)
        self._remembered: dict[bytes, _Known] = {}
        self._remembered_at: int | None = None
        self._lock = threading.Lock()

    def authenticate(self, headers: Mapping[str, str], address: str) -> Principal:
        """Tell who a request is from; raises `UnauthenticatedError`, or `RefusedForNowError` for a blocked address."""
        kind, first, second = _shown(headers)
        return self._let_in(kind, first, second, origin(address))

    def recall(self, headers: Mapping[str, str]) -> Principal | None:
        """Tell who a request is from where that is remembered and nobody has changed the store since; waits for nobody.

        None: ask `authenticate`, which may wait for the disk. Raises as that does where time has ended a credential.
        """
        known = self._recall(_digest(*_shown(headers)), self._store.version())
        if known is None or (known.key is not None and self.keys.is_use_due(known.key)):
            return None
        self._check_time(known)
        return known.principal

    def authenticate_pair(self, key_id: str, secret: str, address: str) -> Principal:
        """Tell whose an id and a secret are that came in a message, as in Alpaca's streams."""
        return self._let_in("key", key_id, secret, origin(address))

    def login(self, name: str, password: str, address: str, scopes: frozenset[Scope] | None = None) -> Tokens:
        """Begin a session with a password; `scopes` ask for less than the role grants."""
        place = origin(address)
        self._addresses.check(place)
        self._names.attempt(name, place)
        user = self.users.check_password(name, password)
        if user is None:
            self._addresses.count(place)
            raise CredentialsError
        self._names.succeeded(name, place)
        for scope in sorted(scopes or ()):
            if scope not in GRANTS[user.role]:
                raise ForbiddenError(scope)
        return self._tokens(self.sessions.start(name, scopes), user.role)

    def refresh(self, token: str, address: str) -> Tokens:
        """Take a refresh token for new tokens; it holds no longer, and using it again ends the session."""
        with self._counting(origin(address)):
            session = self.sessions.rotate(token)
        user = self.users.get(session.user)
        if not user.active:
            self.sessions.end(session.id)
            raise TokenRevokedError
        return self._tokens(session, user.role)

    def revoke(self, token: str) -> str | None:
        """End the session of an access or refresh token and give its user.

        None: the token is none of ours, and so none already (RFC 7009).
        """
        user = self.sessions.end_by(token)
        if user is not None:
            return user
        try:
            claims = self._signer.read(token, at_any_time=True)
        except TokenError:
            return None
        self.sessions.revoke_token(claims.id)
        self.sessions.end(claims.session)
        return claims.user

    def unlock(self, name: str) -> None:
        """Forget the failed logins of a name."""
        self._names.clear(name)

    def first_start(self, keep: Callable[[str], None] = lambda _: None) -> str | None:
        """Make an admin and his key where there is no user at all, and give the key, this once; else None.

        Where `keep`, which gets the key first, raises, nobody is made: a key that nobody has would shut everybody out.
        """
        with self._store.writing():
            if self.users.all():
                return None
            self.users.add(FIRST_ADMIN, Role.ADMIN)
            key = self.keys.add(FIRST_ADMIN, label="first start").text
            keep(key)
            return key

    def check(self) -> None:
        """Raise where identities cannot be read and written now."""
        self._store.check()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _let_in(self, kind: str, first: str, second: str, place: str) -> Principal:
        credential = _digest(kind, first, second)
        version = self._store.version()
        known = self._recall(credential, version)
        if known is None:
            known = self._examine(kind, first, second, place)
            self._remember(credential, known, version)
        else:
            self._check_time(known)
            if known.key is not None:
                self.keys.use(known.key)
        return known.principal

    def _check_time(self, known: _Known) -> None:
        if known.claims is not None:
            self._signer.check_time(known.claims)
        if known.key is not None:
            self.keys.check_time(known.key)

    def _examine(self, kind: str, first: str, second: str, place: str) -> _Known:
        with self._counting(place):
            return self._of_token(first) if kind == "token" else self._of_key(first, second)

    @contextmanager
    def _counting(self, place: str) -> Iterator[None]:
        """Count false credentials against an address; true ones that are over are none."""
        try:
            yield
        except (TokenExpiredError, TokenRevokedError):
            raise
        except (CredentialsError, TokenError):
            # Nothing is said of a guess from a blocked address, and it does not lengthen the block.
            self._addresses.check(place)
            self._addresses.count(place)
            raise

    def _of_token(self, token: str) -> _Known:
        claims = self._signer.read(token)
        user = self.users.find(self.sessions.check(claims.session, claims.id))
        if user is None or not user.active or user.name != claims.user:
            raise TokenRevokedError
        principal = Principal(
            id=user.name, role=user.role, credential=claims.id, scopes=claims.scopes, accounts=user.accounts
        )
        return _Known(principal, None, claims)

    def _of_key(self, key_id: str, secret: str) -> _Known:
        key = self.keys.check(key_id, secret)
        user = self.users.find(key.user)
        if user is None or not user.active:
            raise KeyRevokedError(key.id)
        principal = Principal(
            id=user.name,
            role=user.role,
            credential=key.id,
            scopes=key.scopes,
            accounts=common(user.accounts, key.accounts),
            per_minute=key.per_minute,
        )
        return _Known(principal, key, None)

    def _recall(self, credential: bytes, version: int) -> _Known | None:
        with self._lock:
            if self._remembered_at != version:
                self._remembered.clear()
                self._remembered_at = version
            return self._remembered.get(credential)

    def _remember(self, credential: bytes, known: _Known, version: int) -> None:
        with self._lock:
            # Only what was looked up in the state that is remembered; a key's first use has just changed it.
            if self._remembered_at == version:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[credential] = known

    def _tokens(self, session: Session, role: Role) -> Tokens:
        now = self._clock().replace(microsecond=0)
        expires = min(now + timedelta(minutes=self._settings.access_minutes), session.expires)
        claims = Claims(
            user=session.user,
            session=session.id,
            id=secrets.token_hex(16),
            issued=now,
            expires=expires,
            scopes=session.scopes,
        )
        scopes = GRANTS[role] if session.scopes is None else GRANTS[role] & session.scopes
        lasts = int((expires - now).total_seconds())
        return Tokens(self._signer.write(claims), session.refresh, lasts, session.user, scopes)


def utc_now() -> datetime:
    """Time of the machine's clock."""
    return datetime.now(UTC)


def open_gatekeeper(settings: Access, clock: Callable[[], datetime] = utc_now) -> Gatekeeper:
    """Open the gatekeeper of a folder of identities, which is made where it does not exist."""
    return Gatekeeper(AccessStore(settings.folder / "access.sqlite"), settings, clock)


def _shown(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Kind and parts of the one credential that headers carry."""
    shown = [(name.lower(), value) for name, value in headers.items() if name.lower() in _HEADERS]
    given = dict(shown)
    if len(given) < len(shown):
        raise CredentialsError(_SEVERAL)
    pair = (given.get("apca-api-key-id"), given.get("apca-api-secret-key"))
    found = [
        *([_bearer(given["authorization"])] if "authorization" in given else []),
        *([_key(given["x-api-key"])] if "x-api-key" in given else []),
        *([("key", pair[0] or "", pair[1] or "")] if pair != (None, None) else []),
    ]
    if not found:
        raise UnauthenticatedError("The request shows no credential. Send a bearer token or an API key.")
    if len(found) > 1:
        raise CredentialsError(_SEVERAL)
    return found[0]


def _digest(kind: str, first: str, second: str) -> bytes:
    return sha256(repr((kind, first, second)).encode()).digest()


def _bearer(value: str) -> tuple[str, str, str]:
    scheme, _, credential = value.strip().partition(" ")
    if scheme.lower() != "bearer":
        raise CredentialsError("The header Authorization is of another scheme. Send Bearer and a token or key.")
    credential = credential.strip()
    return ("token", credential, "") if split(credential) is None else _key(credential)


def _key(text: str) -> tuple[str, str, str]:
    id_, secret = split(text.strip()) or ("", "")
    return "key", id_, secret
