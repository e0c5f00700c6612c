import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.cli import main
from nt_ray.access.audit_reading import last_entries
from nt_ray.access.errors import CredentialsError, KeyRevokedError
from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.access.roles import Role, Scope
from nt_ray.config import Access

Answer = Callable[..., dict[str, Any]]
PASSWORD = "correct horse battery"
HERE = "10.0.0.1"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NT_ACCESS__PASSWORD_MEMORY_MB", "1")
    monkeypatch.setenv("NT_ACCESS__PASSWORD_PASSES", "1")


def gatekeeper() -> Gatekeeper:
    return open_gatekeeper(Access(folder=Path("state/access"), password_memory_mb=1, password_passes=1))


def typed(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    left = iter(answers)
    monkeypatch.setattr("getpass.getpass", lambda _: next(left))


def audited() -> list[tuple[str, str]]:
    return [(e.action, e.what.get("target", "")) for e in last_entries(Path("state/access/audit"), 50)]


def test_the_first_admin_gets_a_key_once(answer: Answer) -> None:
    made = answer("access", "init")
    assert gatekeeper().authenticate({"X-API-Key": made["key"]}, HERE).role is Role.ADMIN
    assert answer("access", "init", code=1) == {"made": False, "user": "admin", "key": None}
    assert made["key"] not in Path("state/access/audit/audit.jsonl").read_text()


def test_a_user_lives_through_the_commands(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, PASSWORD, PASSWORD)
    added = answer("access", "users", "add", "ada", "--role", "user", "--account", "a")
    assert (added["role"], added["accounts"], added["has_password"], added["active"]) == ("user", ["a"], True, True)
    gate = gatekeeper()
    assert gate.login("ada", PASSWORD, HERE).user == "ada"
    assert answer("access", "users", "change", "ada", "--role", "read-only", "--all-accounts")["role"] == "read_only"
    assert gate.users.get("ada").accounts is None
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}!\nmore\n"))
    answer("access", "users", "password", "ada", "--password-stdin")
    assert gate.login("ada", f"{PASSWORD}!", HERE).user == "ada"
    assert answer("access", "users", "disable", "ada")["active"] is False
    with pytest.raises(CredentialsError):
        gate.login("ada", f"{PASSWORD}!", HERE)
    assert answer("access", "users", "enable", "ada")["active"] is True
    assert answer("access", "users", "unlock", "ada")["name"] == "ada"
    assert answer("access", "users", "list")["users"] == [answer("access", "users", "enable", "ada")]
    done = ["add", "change", "password", "disable", "enable", "unlock", "enable"]
    assert audited() == [(f"users.{action}", "ada") for action in done]


def test_a_key_lives_through_the_commands(answer: Answer) -> None:
    answer("access", "users", "add", "robot", "--role", "service", "--no-password")
    narrowed = ("--scope", "trading:read", "--account", "a", "--per-minute", "9", "--days", "2", "--label", "bot")
    made = answer("access", "keys", "add", "robot", *narrowed)
    gate = gatekeeper()
    principal = gate.authenticate({"APCA-API-KEY-ID": made["id"], "APCA-API-SECRET-KEY": made["secret"]}, HERE)
    assert (principal.scopes, principal.accounts, principal.per_minute) == ({Scope.TRADING_READ}, {"a"}, 9)
    new = answer("access", "keys", "rotate", made["id"], "--overlap-hours", "1")
    (old, other) = answer("access", "keys", "list", "robot")["keys"]
    assert (old["replaced_by"], other["id"]) == (new["id"], new["id"])
    assert answer("access", "keys", "list", "nobody")["keys"] == []
    assert answer("access", "keys", "revoke", new["id"])["revoked"] is not None
    with pytest.raises(KeyRevokedError):
        gate.authenticate({"X-API-Key": new["key"]}, HERE)
    log = Path("state/access/audit/audit.jsonl").read_text()
    for secret in (made["secret"], new["secret"]):
        assert secret not in log
        assert secret not in json.dumps(answer("access", "keys", "list"))


def test_tables_for_people_show_no_secret(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    key = answer("access", "init")["key"]
    assert main(["access", "keys", "list"]) == 0
    assert main(["access", "users", "list"]) == 0
    shown = capsys.readouterr().out
    assert key.split("_")[1] in shown
    assert "admin" in shown
    assert key.split("_")[2] not in shown


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("users", "add", "ada", "--role", "god"), "access"),
        (("users", "add", "a b", "--no-password"), "access"),
        (("users", "add", "ada", "--no-password", "--password-stdin"), "access"),
        (("users", "change", "ada"), "access"),
        (("users", "change", "ada", "--account", "a", "--all-accounts"), "access"),
        (("users", "change", "ada", "--role", "admin", "--account", "a", "--all-accounts"), "access"),
        (("users", "disable", "ada"), "unknown_user"),
        (("users", "password", "ada"), "unknown_user"),
        (("users", "unlock", "ada"), "unknown_user"),
        (("keys", "add", "ada"), "unknown_user"),
        (("keys", "add", "ada", "--scope", "kill:all"), "access"),
        (("keys", "add", "ada", "--per-minute", "0"), "usage"),
        (("keys", "rotate", "K1"), "unknown_key"),
        (("keys", "revoke", "K1"), "unknown_key"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(answer: Answer, words: tuple[str, ...], code: str) -> None:
    assert answer("access", *words, code=2)["error"]["code"] == code
    assert gatekeeper().users.all() == []


def test_passwords_that_differ_or_are_short_are_refused(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, PASSWORD, f"{PASSWORD}!")
    assert "differ" in answer("access", "users", "add", "ada", code=2)["error"]["message"]
    typed(monkeypatch, "short", "short")
    assert "12 or more" in answer("access", "users", "add", "ada", code=2)["error"]["message"]
    assert gatekeeper().users.all() == []
