"""Users: their role, their accounts and, where they log in, the hash of their password.

A user without a password is a service, or somebody with keys alone. What a user may do is looked up at each request, so
that a change holds at once. Users are never deleted, since the audit log names them: they are made inactive.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nt_ray.access.columns import accounts_of, checked_name, is_name, listed
from nt_ray.access.errors import AccessInputError
from nt_ray.access.passwords import Passwords
from nt_ray.access.roles import Role
from nt_ray.access.store import AccessStore, millis, moment

_COLUMNS: Final = "name, role, password IS NOT NULL, accounts, active, created"


class UnknownUserError(AccessInputError):
    """A user who does not exist."""

    code = "unknown_user"
    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no user {name[:80]!r}. `nt-ray access users list` names all.")


class UserExistsError(AccessInputError):
    """A user who is there already."""

    code = "user_exists"
    status = 409

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a user {name!r} already. Take another name, or change this one.")


class LastAdminError(AccessInputError):
    """A change that would leave nobody who may let others in."""

    code = "last_admin"
    status = 409

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is the last active admin. Make another one first.")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may come in."""

    name: str
    role: Role
    has_password: bool
    accounts: frozenset[str] | None
    """Accounts that are his; None: all."""
    active: bool
    created: datetime


class Users:
    """The users of a store."""

    def __init__(self, store: AccessStore, passwords: Passwords, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    def add(self, name: str, role: Role, *, password: str | None = None, accounts: Iterable[str] | None = None) -> User:
        """Add a user; without a password he comes in by keys alone."""
        encoded = None if password is None else self._passwords.hash(password)
        row = (checked_name(name), role.value, encoded, listed(accounts), 1, millis(self._clock()))
        with self._store.writing() as sql:
            if sql.execute("INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?, ?, ?)", row).rowcount == 0:
                raise UserExistsError(name)
        return self.get(name)

    def get(self, name: str) -> User:
        """Find a user; `UnknownUserError` where there is none."""
        found = self.find(name)
        if found is None:
            raise UnknownUserError(name)
        return found

    def find(self, name: str) -> User | None:
        """Find a user, or None."""
        if not is_name(name):
            return None
        with self._store.reading() as sql:
            row = sql.execute(f"SELECT {_COLUMNS} FROM users WHERE name = ?", (name,)).fetchone()  # noqa: S608
        return None if row is None else _user(row)

    def all(self) -> list[User]:
        """List users by name."""
        with self._store.reading() as sql:
            return [_user(row) for row in sql.execute(f"SELECT {_COLUMNS} FROM users ORDER BY name")]  # noqa: S608

    def change_role(self, name: str, role: Role) -> None:
        """Give a user another role, at once for all his sessions and keys."""
        with self._store.writing() as sql:
            self._spare_the_last_admin(self.get(name), leaves=role is not Role.ADMIN)
            sql.execute("UPDATE users SET role = ? WHERE name = ?", (role.value, name))

    def change_accounts(self, name: str, accounts: Iterable[str] | None) -> None:
        """Give a user other accounts; None: all."""
        with self._store.writing() as sql:
            self.get(name)
            sql.execute("UPDATE users SET accounts = ? WHERE name = ?", (listed(accounts), name))

    def activate(self, name: str, *, active: bool) -> None:
        """Let a user in again, or let him in no more; what he has open ends at once."""
        with self._store.writing() as sql:
            self._spare_the_last_admin(self.get(name), leaves=not active)
            sql.execute("UPDATE users SET active = ? WHERE name = ?", (int(active), name))

    def change_password(self, name: str, password: str | None) -> None:
        """Give a user another password, or none; his sessions end."""
        encoded = None if password is None else self._passwords.hash(password)
        with self._store.writing() as sql:
            self.get(name)
            sql.execute("UPDATE users SET password = ? WHERE name = ?", (encoded, name))
            sql.execute(
                "UPDATE sessions SET revoked = ? WHERE user = ? AND revoked IS NULL", (millis(self._clock()), name)
            )

    def check_password(self, name: str, password: str) -> User | None:
        """Compare a password, in as much time whoever is named; give the user where it is his and he is active."""
        known = name if is_name(name) else ""
        with self._store.reading() as sql:
            row = sql.execute(f"SELECT {_COLUMNS}, password FROM users WHERE name = ?", (known,)).fetchone()  # noqa: S608
        encoded = None if row is None else row[-1]
        check = self._passwords.check(encoded, password)
        user = None if row is None else _user(row[:-1])
        if user is None or not check.right or not user.active:
            return None
        if check.outdated:
            anew = self._passwords.hash(password)
            with self._store.writing() as sql:
                # Not where somebody has changed it in the meantime.
                sql.execute("UPDATE users SET password = ? WHERE name = ? AND password = ?", (anew, name, encoded))
        return user

    def _spare_the_last_admin(self, user: User, *, leaves: bool) -> None:
        if leaves and user.role is Role.ADMIN and user.active:
            others = [u for u in self.all() if u.role is Role.ADMIN and u.active and u.name != user.name]
            if not others:
                raise LastAdminError(user.name)


def _user(row: tuple[Any, ...]) -> User:
    name, role, has_password, accounts, active, created = row
    return User(
        name=name,
        role=Role(role),
        has_password=bool(has_password),
        accounts=accounts_of(accounts),
        active=bool(active),
        created=moment(created),
    )
