"""What is wrong with a credential, or with how often it is used.

No text names a secret, or says whether a user exists.
"""

from typing import ClassVar

from nt_ray.access.roles import UnauthenticatedError
from nt_ray.errors import BadInputError, NeuralTraderError


class AccessInputError(BadInputError):
    """A name, password, scope or limit that cannot be taken."""

    code = "access"


class CredentialsError(UnauthenticatedError):
    """A name and password, or a key, that do not hold."""

    code = "invalid_credentials"

    def __init__(
        self, message: str = "These credentials do not hold. Check them, or ask an admin for new ones."
    ) -> None:
        super().__init__(message)


class KeyExpiredError(UnauthenticatedError):
    """A key whose time is over."""

    code = "key_expired"

    def __init__(self, key: str) -> None:
        super().__init__(f"The key {key} has expired. Ask an admin for a new one.")


class KeyRevokedError(UnauthenticatedError):
    """A key that was withdrawn, or whose user was."""

    code = "key_revoked"

    def __init__(self, key: str) -> None:
        super().__init__(f"The key {key} was revoked. Ask an admin for a new one.")


class TokenError(UnauthenticatedError):
    """A token that this server did not sign, or not for this use."""

    code = "token_invalid"

    def __init__(self, message: str = "The token is none of this server's. Log in again.") -> None:
        super().__init__(message)


class TokenExpiredError(TokenError):
    """A token whose time is over."""

    code = "token_expired"

    def __init__(self) -> None:
        super().__init__("The token has expired. Refresh it, or log in again.")


class TokenRevokedError(TokenError):
    """A token that was withdrawn, or whose session or user was."""

    code = "token_revoked"

    def __init__(self) -> None:
        super().__init__("The token was revoked. Log in again.")


class TokenReplayedError(TokenError):
    """A refresh token that was used before: its session is over."""

    code = "token_replayed"

    def __init__(self) -> None:
        super().__init__("The refresh token was used before, so its whole session is revoked. Log in again.")


class RefusedForNowError(NeuralTraderError):
    """Something that may be tried again later."""

    code: ClassVar[str] = "rate_limited"
    status: int = 429

    def __init__(self, what: str, retry_after_s: float) -> None:
        super().__init__(f"{what} Try again in {max(retry_after_s, 0.001):.3g} s.")
        self.retry_after_s = retry_after_s


class TooManyRequestsError(RefusedForNowError):
    """More requests than a credential or an address is allowed."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too many requests.", retry_after_s)


class LockedOutError(RefusedForNowError):
    """A name with too many failed logins."""

    code = "locked_out"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too many failed logins with this name.", retry_after_s)


class AddressBlockedError(RefusedForNowError):
    """An address that sent too many false credentials."""

    code = "address_blocked"

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too many false credentials from this address.", retry_after_s)
