"""Passwords: argon2id (RFC 9106), and the same work for a user who does not exist as for one who does.

A hash carries its own parameters, so it holds when they change; `Check.outdated` says when to hash anew. Few hashes
are computed at a time, each with its memory; others wait. Knows no users.
"""

import secrets
import threading
import unicodedata
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from nt_ray.access.errors import AccessInputError

SHORTEST: Final = 12
LONGEST: Final = 1024
_AT_A_TIME: Final = 4


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a password is right, and whether its hash should be made anew."""

    right: bool
    outdated: bool = False


class Passwords:
    """Hashes of passwords with given costs; safe to share between threads."""

    def __init__(self, memory_mb: int = 64, passes: int = 3) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_mb * 1024, parallelism=1)
        self._nobody = self._impossible()
        self._room = threading.BoundedSemaphore(_AT_A_TIME)

    def hash(self, password: str) -> str:
        """Hash a new password; `AccessInputError` where it is too short or too long."""
        if not len(password) >= SHORTEST or len(_octets(password)) > LONGEST:
            raise AccessInputError(
                f"The password has {len(password)} characters. Take {SHORTEST} or more, and at most {LONGEST} bytes."
            )
        with self._room:
            return self._hasher.hash(_octets(password))

    def check(self, encoded: str | None, password: str) -> Check:
        """Compare a password with a stored hash; None, as of an unknown user, takes as long and is never right."""
        # Longer ones cannot have been set. They are cut, not refused at once, which would be quicker than others.
        octets = _octets(password[: 4 * LONGEST])
        with self._room:
            try:
                self._hasher.verify(encoded or self._nobody, octets)
            except (VerificationError, InvalidHashError):
                return Check(right=False)
        if encoded is None:
            return Check(right=False)
        return Check(right=True, outdated=self._hasher.check_needs_rehash(encoded))

    def _impossible(self) -> str:
        """Give a hash of these costs that no known password has: drawn, not computed."""
        hasher = self._hasher
        costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        salt, digest = (
            b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (hasher.salt_len, hasher.hash_len)
        )
        return f"$argon2id$v=19${costs}${salt}${digest}"


def _octets(password: str) -> bytes:
    # One password typed on two keyboards is one text (NIST SP 800-63B 5.1.1.2).
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
