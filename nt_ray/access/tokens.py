"""Access tokens: signed JSON (RFC 7519, typed as RFC 9068 has it) that hold for minutes.

Guarantees: one algorithm, that of the settings, whatever a token's header says (RFC 8725); type, issuer, audience,
times and id are all required and checked; times come from the injected clock. A token says who, in which session, and
at most with which scopes; never a role, which is looked up, so that a change of role holds at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from nt_ray.access.errors import TokenError, TokenExpiredError
from nt_ray.access.roles import Scope
from nt_ray.config import Access
from nt_ray.errors import ConfigError

SHORTEST_SECRET: Final = 64
LONGEST_TOKEN: Final = 4096
_TYPE: Final = "at+jwt"
_REQUIRED: Final = ["iss", "aud", "sub", "sid", "jti", "iat", "exp"]
# Times are compared with the injected clock, below.
_OPTIONS: Final[Any] = {
    "require": _REQUIRED,
    "strict_aud": True,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What an access token says. Times are whole seconds."""

    user: str
    session: str
    id: str
    issued: datetime
    expires: datetime
    scopes: frozenset[Scope] | None = None


class Signer:
    """Writes and reads access tokens."""

    def __init__(self, settings: Access, secret: str, clock: Callable[[], datetime]) -> None:
        self._algorithm = settings.token_algorithm
        self._issuer, self._audience, self._leeway = settings.issuer, settings.audience, settings.leeway_s
        self._clock = clock
        self._signing: bytes | Ed25519PrivateKey
        if self._algorithm == "HS256":
            self._signing = _hs256_key(secret)
            self._verifying: Any = self._signing
        else:
            self._signing = _ed25519_key(secret)
            self._verifying = self._signing.public_key()

    def write(self, claims: Claims) -> str:
        """Sign a token."""
        body: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": claims.user,
            "sid": claims.session,
            "jti": claims.id,
            "iat": int(claims.issued.timestamp()),
            "exp": int(claims.expires.timestamp()),
        }
        if claims.scopes is not None:
            body["scope"] = " ".join(sorted(claims.scopes))
        return jwt.encode(body, self._signing, algorithm=self._algorithm, headers={"typ": _TYPE})

    def read(self, token: str, *, at_any_time: bool = False) -> Claims:
        """Read a token; `TokenError` where this server did not sign it for this use, or its time is not now."""
        if len(token) > LONGEST_TOKEN:
            raise TokenError
        try:
            found = jwt.decode_complete(
                token,
                self._verifying,
                algorithms=[self._algorithm],
                audience=self._audience,
                issuer=self._issuer,
                options=_OPTIONS,
            )
            # Any other failure of what is inside, such as an id that is no text, is found here.
            claims = _claims(found["payload"])
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenError from error
        if found["header"].get("typ") != _TYPE:
            raise TokenError
        if not at_any_time:
            self.check_time(claims)
        return claims

    def check_time(self, claims: Claims) -> None:
        """Raise where a token holds no longer, or not yet."""
        now = self._clock().timestamp()
        if now >= claims.expires.timestamp() + self._leeway:
            raise TokenExpiredError
        if now < claims.issued.timestamp() - self._leeway:
            raise TokenError("The token was signed in the future. Set the clocks of the servers right.")


def _claims(body: dict[str, Any]) -> Claims:
    scope = body.get("scope")
    texts = [body[name] for name in ("sub", "sid", "jti")] + ([scope] if scope is not None else [])
    if not all(isinstance(text, str) for text in texts) or not all(type(body[name]) is int for name in ("iat", "exp")):
        raise TypeError("a claim of another type")
    return Claims(
        user=body["sub"],
        session=body["sid"],
        id=body["jti"],
        issued=datetime.fromtimestamp(body["iat"], UTC),
        expires=datetime.fromtimestamp(body["exp"], UTC),
        scopes=None if scope is None else frozenset(map(Scope, scope.split())),
    )


def _hs256_key(secret: str) -> bytes:
    key = secret.encode()
    if len(key) < SHORTEST_SECRET:
        raise ConfigError(
            f"access.token_secret has {len(key)} bytes. Give {SHORTEST_SECRET} or more, drawn at random, or leave it "
            "unset."
        )
    return key


def _ed25519_key(secret: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(secret.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Its text may tell of the key, so it is not passed on.
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("access.token_secret is no private key of Ed25519 as PEM. Give one, or leave it unset.")
    return key
