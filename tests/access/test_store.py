import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nt_ray.access.gatekeeper import Gatekeeper
from nt_ray.access.roles import Role
from nt_ray.access.server_secrets import server_secrets
from nt_ray.access.store import AccessStore
from nt_ray.config import Access
from nt_ray.errors import ConfigError, StorageError

PASSWORD = "correct horse battery"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_readable_by_their_owner_alone(gate: Gatekeeper, folder: Path) -> None:
    gate.first_start()
    files = {path.name: mode(path) for path in folder.iterdir()}
    assert {"access.sqlite", "access.sqlite-wal", "access.sqlite-shm", "pepper.secret"} <= set(files)
    assert set(files.values()) == {0o600}
    assert mode(folder) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    AccessStore(path).close()
    path.chmod(0o644)
    AccessStore(path).close()
    assert mode(path) == 0o600


def test_nothing_secret_lies_in_the_file(gate: Gatekeeper, folder: Path) -> None:
    key = gate.first_start() or ""
    gate.users.add("ada", Role.USER, password=PASSWORD)
    tokens = gate.login("ada", PASSWORD, "10.0.0.1")
    typed = "typed-a-password-for-a-name"
    with pytest.raises(Exception, match="do not hold"):
        gate.login(typed, PASSWORD, "10.0.0.1")
    content = b"".join(path.read_bytes() for path in folder.glob("access.sqlite*"))
    assert b"ada" in content
    for secret in (key.rpartition("_")[2], PASSWORD, tokens.refresh, tokens.access, typed):
        assert secret.encode() not in content
        assert secret.removeprefix("ntr_").encode() not in content


def test_a_secret_shows_in_no_text(gate: Gatekeeper) -> None:
    gate.users.add("ada", Role.USER, password=PASSWORD)
    tokens, key = gate.login("ada", PASSWORD, "10.0.0.1"), gate.keys.add("ada")
    shown = repr((tokens, key, gate.sessions.start("ada", None), server_secrets(Access(token_secret="s" * 64))))
    for secret in (tokens.access, tokens.refresh, key.secret, "s" * 64, "ntr_"):
        assert secret not in shown


def test_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(StorageError, match="not a file of identities"):
        AccessStore(path)


def test_a_change_by_anybody_changes_the_version(tmp_path: Path) -> None:
    one, other = AccessStore(tmp_path / "a.sqlite"), AccessStore(tmp_path / "a.sqlite")
    before = one.version()
    assert one.version() == before
    with other.writing() as sql:
        sql.execute("INSERT INTO revocations VALUES ('j', 1)")
    between = one.version()
    assert between != before
    with one.writing() as sql:
        sql.execute("DELETE FROM revocations")
    assert one.version() != between
    one.close()
    other.close()


def test_a_transaction_within_another_is_undone_with_it(gate: Gatekeeper) -> None:
    def change() -> None:
        with gate._store.writing():
            gate.users.add("ada", Role.USER)
            assert gate.users.find("ada") is not None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert gate.users.find("ada") is None


PROGRAM = """
import sys
from pathlib import Path
from typing import Any
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.roles import Role
from nt_ray.config import Access
print("ready", flush=True)
sys.stdin.readline()
gate = open_gatekeeper(Access(folder=Path(sys.argv[1])))
print(gate.first_start() or "-")
for n in range(20):
    gate.users.add(f"{sys.argv[2]}-{n}", Role.USER)
"""


def test_servers_that_start_at_once_share_secrets_and_make_one_admin(
    folder: Path, opened: Callable[..., Gatekeeper], at_once: Callable[..., Any]
) -> None:
    runs = at_once(PROGRAM, (folder, "one"), (folder, "two"))
    said = [run.stdout.read().strip() for run in runs]
    assert [run.wait() for run in runs] == [0, 0]
    keys = [key for key in said if key != "-"]
    gate = opened()
    assert len(keys) == 1
    assert gate.authenticate({"X-API-Key": keys[0]}, "10.0.0.1").role is Role.ADMIN
    assert len(gate.users.all()) == 41
    assert not list(folder.glob(".*.part"))


def test_secrets_of_the_settings_win_over_files(folder: Path) -> None:
    found = server_secrets(Access(folder=folder, token_secret="t" * 64, pepper="p" * 32))
    assert (found.token, found.pepper) == ("t" * 64, b"p" * 32)
    assert not folder.exists()


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_secrets_that_are_made_are_kept(folder: Path, algorithm: str) -> None:
    settings = Access(folder=folder, token_algorithm=algorithm)
    made = server_secrets(settings)
    assert server_secrets(settings) == made
    other = server_secrets(Access(folder=folder / "other", token_algorithm=algorithm))
    assert made.token != other.token
    assert made.pepper != other.pepper


def test_who_makes_secrets_second_takes_those_of_the_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Access(folder=folder)
    first = server_secrets(settings)
    # As another process that looked just before they were there.
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert server_secrets(settings) == first
    assert len(list(folder.iterdir())) == 2


def test_a_short_pepper_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="31 bytes"):
        server_secrets(Access(folder=folder, token_secret="t" * 64, pepper="p" * 31))


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "access").write_text("")
    with pytest.raises(StorageError, match=r"access\.folder"):
        AccessStore(tmp_path / "access" / "access.sqlite")
