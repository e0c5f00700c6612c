"""The first admin's key, where nobody watches the start."""

from pathlib import Path

from nt_ray.access.audit_reading import last_entries
from nt_ray.access.first_admin import FILE, first_key, leave_first_key
from nt_ray.access.gatekeeper import open_gatekeeper
from nt_ray.access.roles import Role
from nt_ray.config import Access


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


def test_a_key_of_users_that_are_gone_gives_way(tmp_path: Path) -> None:
    settings = Access(folder=tmp_path / "access")
    settings.folder.mkdir(mode=0o700)
    (settings.folder / FILE).write_text("nt_OLD\n")
    path = leave_first_key(settings, "the first start")
    assert path is not None
    assert path.read_text() != "nt_OLD\n"
