"""`nt-ray access`: who may come in through the gateway, and with which keys.

Works on the folder of the settings, whether a gateway runs on it or not; what is changed holds at its next request.
Each change is written to the audit log.
"""

import getpass
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from jobs.access_keys_command import keys_app
from jobs.access_opening import first_key, opened, record
from jobs.options import AsJson, by_file, command_group, help_text

if TYPE_CHECKING:
    from nt_ray.access.users import User
    from nt_ray.config import Settings

INIT_HELP = help_text(
    "Make the first admin and print his key, this once. The gateway does the same when it first starts.",
    "nt-ray access init",
    "nt-ray access init --set access.folder=/srv/nt-ray/access --json",
)
ADD_HELP = help_text(
    "Add a user. Without a password he comes in with keys alone, as services do.",
    "nt-ray access users add ada --role user --account paper-1",
    "nt-ray access users add robot --role service --no-password",
    "nt-ray access users add ada --password-stdin",
)
LIST_HELP = help_text("List users.", "nt-ray access users list", "nt-ray access users list --json")
CHANGE_HELP = help_text(
    "Change a user's role or accounts, at once for all that he has open.",
    "nt-ray access users change ada --role admin",
    "nt-ray access users change ada --account paper-1 --account paper-2",
    "nt-ray access users change ada --all-accounts",
)
PASSWORD_HELP = help_text(
    "Give a user another password, which ends his sessions, or none.",
    "nt-ray access users password ada",
    "nt-ray access users password ada --password-stdin",
)
DISABLE_HELP = help_text("Let a user in no more; his sessions and keys end at once.", "nt-ray access users disable ada")
ENABLE_HELP = help_text("Let a user in again.", "nt-ray access users enable ada")
UNLOCK_HELP = help_text("Forget the failed logins of a name.", "nt-ray access users unlock ada")

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")]
RoleName: TypeAlias = Annotated[str, typer.Option("--role", metavar="ROLE", help="read_only, user, service or admin.")]
Accounts: TypeAlias = Annotated[
    list[str] | None, typer.Option("--account", metavar="NAME", help="Account that is his; may be repeated. Else all.")
]
FromStdin: TypeAlias = Annotated[
    bool, typer.Option("--password-stdin", help="Take the first line of standard input, instead of asking for it.")
]
NoPassword: TypeAlias = Annotated[bool, typer.Option("--no-password", help="He has none, and uses keys.")]

access_app = command_group("Say who may come in through the gateway.", "nt-ray access users list")
users_app = command_group("Add, change and list users.", "nt-ray access users list")
access_app.add_typer(users_app, name="users")
access_app.add_typer(keys_app, name="keys")


@access_app.command("init", help=INIT_HELP)
@by_file
def init(settings: "Settings", as_json: AsJson = False) -> int:
    """Make the first admin."""
    from nt_ray.access.gatekeeper import FIRST_ADMIN

    key = first_key(settings)
    if as_json:
        typer.echo(json.dumps({"made": key is not None, "user": FIRST_ADMIN, "key": key}))
    elif key is None:
        typer.echo("There are users already. `nt-ray access keys add` makes a key.")
    else:
        typer.echo(f"Key of {FIRST_ADMIN}, shown this once:\n{key}")
    return 0 if key is not None else 1


@users_app.command("add", help=ADD_HELP)
@by_file
def add(
    settings: "Settings",
    name: Name,
    role: RoleName = "user",
    account: Accounts = None,
    password_stdin: FromStdin = False,
    no_password: NoPassword = False,
    as_json: AsJson = False,
) -> None:
    """Add a user."""
    from jobs.access_opening import role_named

    chosen = role_named(role)
    password = _password(from_stdin=password_stdin, none=no_password)
    with opened(settings) as gate:
        user = gate.users.add(name, chosen, password=password, accounts=account)
        record(settings, "users.add", name, {"role": role, "accounts": account})
    _say(user, f"{name} may come in as {user.role.value}.", as_json=as_json)


@users_app.command("list", help=LIST_HELP)
@by_file
def list_(settings: "Settings", as_json: AsJson = False) -> None:
    """List users."""
    with opened(settings) as gate:
        users = gate.users.all()
    if as_json:
        typer.echo(json.dumps({"users": [_entry(user) for user in users]}))
        return
    typer.echo(f"{'name':<24}{'role':<12}{'password':<10}{'active':<8}accounts")
    for user in users:
        accounts = "all" if user.accounts is None else ", ".join(sorted(user.accounts)) or "none"
        has, active = ("yes" if it else "no" for it in (user.has_password, user.active))
        typer.echo(f"{user.name:<24}{user.role.value:<12}{has:<10}{active:<8}{accounts}")


@users_app.command("change", help=CHANGE_HELP)
@by_file
def change(
    settings: "Settings",
    name: Name,
    role: Annotated[str | None, typer.Option("--role", metavar="ROLE", help="Another role.")] = None,
    account: Accounts = None,
    all_accounts: Annotated[bool, typer.Option("--all-accounts", help="All accounts are his.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change a user."""
    from jobs.access_opening import role_named
    from nt_ray.access.errors import AccessInputError

    if (account is not None and all_accounts) or (role is None and account is None and not all_accounts):
        raise AccessInputError("Nothing or two things are to change. Give --role, and --account or --all-accounts.")
    chosen = None if role is None else role_named(role)
    with opened(settings) as gate:
        if chosen is not None:
            gate.users.change_role(name, chosen)
        if account is not None or all_accounts:
            gate.users.change_accounts(name, account)
        record(settings, "users.change", name, {"role": role, "accounts": account, "all_accounts": all_accounts})
        user = gate.users.get(name)
    _say(user, f"{name} is changed.", as_json=as_json)


@users_app.command("password", help=PASSWORD_HELP)
@by_file
def password(
    settings: "Settings",
    name: Name,
    password_stdin: FromStdin = False,
    no_password: NoPassword = False,
    as_json: AsJson = False,
) -> None:
    """Give a user another password."""
    with opened(settings) as gate:
        gate.users.get(name)
        gate.users.change_password(name, _password(from_stdin=password_stdin, none=no_password))
        record(settings, "users.password", name)
        user = gate.users.get(name)
    _say(user, f"{name} has {'no' if no_password else 'a new'} password; his sessions have ended.", as_json=as_json)


@users_app.command("disable", help=DISABLE_HELP)
@by_file
def disable(settings: "Settings", name: Name, as_json: AsJson = False) -> None:
    """Let a user in no more."""
    with opened(settings) as gate:
        gate.users.activate(name, active=False)
        record(settings, "users.disable", name)
        user = gate.users.get(name)
    _say(user, f"{name} is let in no more.", as_json=as_json)


@users_app.command("enable", help=ENABLE_HELP)
@by_file
def enable(settings: "Settings", name: Name, as_json: AsJson = False) -> None:
    """Let a user in again."""
    with opened(settings) as gate:
        gate.users.activate(name, active=True)
        record(settings, "users.enable", name)
        user = gate.users.get(name)
    _say(user, f"{name} is let in again.", as_json=as_json)


@users_app.command("unlock", help=UNLOCK_HELP)
@by_file
def unlock(settings: "Settings", name: Name, as_json: AsJson = False) -> None:
    """Forget the failed logins of a name."""
    with opened(settings) as gate:
        user = gate.users.get(name)
        gate.unlock(name)
        record(settings, "users.unlock", name)
    _say(user, f"{name} may log in again.", as_json=as_json)


def _password(*, from_stdin: bool, none: bool) -> str | None:
    from nt_ray.access.errors import AccessInputError

    if none and from_stdin:
        raise AccessInputError("--no-password and --password-stdin are both given. Give one of them.")
    if none:
        return None
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise AccessInputError("The two passwords differ. Type the same one twice.")
    return first


def _say(user: "User", text: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(_entry(user)) if as_json else text)


def _entry(user: "User") -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role.value,
        "has_password": user.has_password,
        "accounts": None if user.accounts is None else sorted(user.accounts),
        "active": user.active,
        "created": user.created.isoformat(),
    }
