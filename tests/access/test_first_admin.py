"""The first admin's key, where nobody watches the start."""

from pathlib import Path

import pytest

from nt_ray.access.audit_reading import last_entries
from nt_ray.access.first_admin import FILE, first_key, leave_first_key
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.roles import Role
from nt_ray.config import Access
from nt_ray.errors import StorageError


def test_the_key_is_left_once_for_its_owner_alone_and_who_made_it_is_written_down(tmp_path: Path) -> None:
    settings = Access(folder=tmp_path / "access")
    path = leave_first_key(settings, "the first start")
    assert path == tmp_path / "access" / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    gate = open_gatekeeper(settings)
    assert gate.authenticate({"X-API-Key": path.read_text().strip()}, "127.0.0.1").role is Role.ADMIN
    gate.close()
    path.unlink()
    assert (leave_first_key(settings, "again"), first_key(settings, "again"), path.exists()) == (None, None, False)
    (entry,) = last_entries(settings.folder / "audit", 10)
    assert (entry.action, entry.who, entry.what["target"]) == ("users.add", "the first start", "admin")


@pytest.mark.parametrize("unwritable", ["first-admin.key", "audit"])
def test_where_the_key_cannot_be_left_or_noted_nobody_is_made(tmp_path: Path, unwritable: str) -> None:
    settings = Access(folder=tmp_path / "access")
    settings.folder.mkdir(mode=0o700)
    in_the_way = settings.folder / unwritable
    if unwritable == "audit":
        in_the_way.write_text("")
    else:
        in_the_way.mkdir()
    with pytest.raises(StorageError, match=unwritable):
        leave_first_key(settings, "the first start")
    (in_the_way.unlink if unwritable == "audit" else in_the_way.rmdir)()
    path = leave_first_key(settings, "the second start")
    assert path is not None
    (entry,) = last_entries(settings.folder / "audit", 10)
    assert entry.who == "the second start"


def test_a_key_of_users_that_are_gone_gives_way(tmp_path: Path) -> None:
    settings = Access(folder=tmp_path / "access")
    settings.folder.mkdir(mode=0o700)
    (settings.folder / FILE).write_text("nt_OLD\n")
    path = leave_first_key(settings, "the first start")
    assert path is not None
    assert path.read_text() != "nt_OLD\n"
