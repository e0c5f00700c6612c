"""Roles, scopes and owned resources: the tables that say who may do what. What they do not grant is denied.

A principal is somebody who has shown who he is. What he may do is what his role grants, no more than the scopes of the
key or token that he came with, and only in the accounts that are his. What belongs to somebody is there for him alone,
and for roles that reach what is others'.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from nt_ray.errors import NeuralTraderError


class Role(StrEnum):
    """What kind of user somebody is."""

    READ_ONLY = "read_only"
    USER = "user"
    ADMIN = "admin"
    SERVICE = "service"


class Scope(StrEnum):
    """One permission: a resource and whether it may be read or changed."""

    TRADING_READ = "trading:read"
    TRADING_WRITE = "trading:write"
    RISK_READ = "risk:read"
    STRATEGIES_READ = "strategies:read"
    STRATEGIES_WRITE = "strategies:write"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    SWARMS_READ = "swarms:read"
    SWARMS_WRITE = "swarms:write"
    RUNS_READ = "runs:read"
    JOURNAL_READ = "journal:read"
    CONFIG_READ = "config:read"
    SYSTEM_READ = "system:read"
    KILL = "kill:write"
    ACCESS_ADMIN = "access:admin"
    AUDIT_READ = "audit:read"


_READS: Final = frozenset(
    {
        Scope.TRADING_READ, Scope.RISK_READ, Scope.STRATEGIES_READ, Scope.JOBS_READ, Scope.MODELS_READ,
        Scope.SWARMS_READ, Scope.RUNS_READ, Scope.SYSTEM_READ,
    }
)  # fmt: skip
_WORK: Final = frozenset(
    {Scope.TRADING_WRITE, Scope.STRATEGIES_WRITE, Scope.JOBS_WRITE, Scope.SWARMS_WRITE, Scope.JOURNAL_READ}
)

GRANTS: Final[Mapping[Role, frozenset[Scope]]] = MappingProxyType(
    {
        Role.READ_ONLY: _READS,
        Role.USER: _READS | _WORK,
        Role.SERVICE: _READS | _WORK | {Scope.MODELS_WRITE},
        Role.ADMIN: frozenset(Scope),
    }
)


class Owned(StrEnum):
    """A kind of resource that belongs to whoever made it; a scope is needed for it all the same."""

    JOBS = "jobs"
    RUNS = "runs"
    """Of jobs; what no job made belongs to nobody, and is there for every reader."""


OF_OTHERS: Final[Mapping[Role, frozenset[Owned]]] = MappingProxyType(
    {Role.READ_ONLY: frozenset(), Role.USER: frozenset(), Role.SERVICE: frozenset(), Role.ADMIN: frozenset(Owned)}
)
"""What a role reaches though it is somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who has shown who he is."""

    id: str
    """Of the user or service; it stands in the audit log."""
    role: Role
    credential: str
    """Public part of the key, or id of the token, that was shown."""
    scopes: frozenset[Scope] | None = None
    """Scopes of the credential; None: all that the role grants."""
    accounts: frozenset[str] | None = None
    """Accounts that are his; None: all."""
    per_minute: int | None = None
    """Requests a minute that the credential allows; None: the server's default."""

    def may(self, scope: Scope, account: str | None = None) -> bool:
        """Tell whether he may do something, in an account where one is meant."""
        if scope not in GRANTS[self.role] or (self.scopes is not None and scope not in self.scopes):
            return False
        return account is None or self.accounts is None or account in self.accounts

    def require(self, scope: Scope, account: str | None = None) -> None:
        """Raise `ForbiddenError` where he may not."""
        if not self.may(scope, account):
            raise ForbiddenError(scope, account)

    def reaches(self, what: Owned, *owners: str) -> bool:
        """Tell whether a resource of these owners is there for him."""
        return self.id in owners or what in OF_OTHERS[self.role]

    def only(self, what: Owned) -> str | None:
        """Name the owner whose resources alone are there for him; None: everybody's."""
        return None if what in OF_OTHERS[self.role] else self.id

    @property
    def rights(self) -> tuple[str, Role, frozenset[Scope] | None, frozenset[str] | None]:
        """What decides what he may see and do; two looks at one credential differ where it has changed."""
        return self.id, self.role, self.scopes, self.accounts

    def require_everywhere(self, scope: Scope) -> None:
        """Raise `ForbiddenError` where he may not in every account: for what tells of all of them together."""
        self.require(scope)
        if self.accounts is not None:
            raise ForbiddenError(scope, everywhere=True)


class UnauthenticatedError(NeuralTraderError):
    """Nobody, or somebody whose credential does not hold."""

    code: ClassVar[str] = "unauthenticated"
    status: int = 401


class ForbiddenError(NeuralTraderError):
    """Somebody who may not do this."""

    code: ClassVar[str] = "forbidden"
    status: int = 403

    def __init__(self, scope: Scope, account: str | None = None, *, everywhere: bool = False) -> None:
        where = " in all accounts" if everywhere else f" in account {account}" if account is not None else ""
        super().__init__(f"This needs {scope.value}{where}, which your role or key does not grant. Ask an admin.")
        self.scope = scope
