"""What the commands of `nt-ray access` share: the gatekeeper of the settings, and the audit log of what they do."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nt_ray.access.gatekeeper import Gatekeeper
    from nt_ray.access.roles import Role, Scope
    from nt_ray.config import Settings

_NOTHING: Final[Mapping[str, Any]] = {}


@contextmanager
def opened(settings: "Settings") -> Iterator["Gatekeeper"]:
    """Open the gatekeeper of the settings, and close it."""
    from nt_ray.access.gatekeeper import open_gatekeeper

    gate = open_gatekeeper(settings.access)
    try:
        yield gate
    finally:
        gate.close()


def first_key(settings: "Settings") -> str | None:
    """Make the first admin where there is no user, and give his key; else None."""
    from nt_ray.access.first_admin import first_key as made

    return made(settings.access, _who())


def record(settings: "Settings", action: str, target: str, details: Mapping[str, Any] = _NOTHING) -> None:
    """Write to the audit log what somebody at this machine has done."""
    from nt_ray.access.audit import open_audit
    from nt_ray.access.gatekeeper import utc_now

    given = {name: value for name, value in details.items() if value is not None}
    open_audit(settings.access, utc_now).append(action, _who(), target=target, details=given)


def role_named(name: str) -> "Role":
    """Role of a name, as in `read_only` or `read-only`."""
    from nt_ray.access.errors import AccessInputError
    from nt_ray.access.roles import Role

    try:
        return Role(name.replace("-", "_"))
    except ValueError:
        raise AccessInputError(f"There is no role {name!r}. Take one of {', '.join(Role)}.") from None


def scopes_named(names: list[str] | None) -> "frozenset[Scope] | None":
    """Scopes of their names."""
    from nt_ray.access.errors import AccessInputError
    from nt_ray.access.roles import Scope

    if names is None:
        return None
    try:
        return frozenset(map(Scope, names))
    except ValueError as error:
        raise AccessInputError(f"There is no such scope: {error}. Take some of {', '.join(Scope)}.") from None


def _who() -> str:
    try:
        person = getpass.getuser()
    except (OSError, KeyError):
        # An account without a name, as in some containers.
        person = "somebody"
    return f"{person} at the command line"
