"""Whether the newest writer of a journal lives, on SQLite and on Postgres."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nt_ray.storage.opening import open_journal

# A place is made by the fixtures of conftest.py.
Place = Any

WRITER = """
import sys
from nt_ray.storage.opening import open_journal
journal = open_journal(sys.argv[1])
journal.open_epoch()
print(journal.epoch, flush=True)
sys.stdin.read()
"""


def test_a_journal_is_held_from_its_writers_epoch_until_it_is_closed(place: Place) -> None:
    reader = open_journal(place.url)
    assert reader.holder() is None
    writer = open_journal(place.url)
    assert reader.holder() is None
    writer.open_epoch()
    found = reader.holder()
    assert found is not None
    assert found.epoch == 1
    writer.close()
    assert reader.holder() is None
    reader.close()


def test_only_the_newest_writer_holds_whatever_an_older_one_still_does(place: Place) -> None:
    older, newer, reader = (open_journal(place.url) for _ in range(3))
    older.open_epoch()
    newer.open_epoch()
    found = reader.holder()
    assert found is not None
    assert found.epoch == 2
    newer.close()
    # The older one lives, and can write nothing.
    assert reader.holder() is None
    older.close()
    reader.close()


def test_a_writer_that_is_killed_holds_nothing_and_is_named_while_it_lives(place: Place) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, place.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"1\n"
        reader = open_journal(place.url)
        found = reader.holder()
        assert found is not None
        assert found.pid in (writer.pid, None)
        assert str(writer.pid if found.pid else "epoch 1") in str(found)
        writer.kill()
        writer.wait()
    deadline = time.monotonic() + 30
    while reader.holder() is not None:
        # The server of a database notices a little later.
        assert time.monotonic() < deadline
        time.sleep(0.01)
    reader.close()


def test_a_writer_leaves_no_file_beside_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    for _ in range(2):
        journal = open_journal(path)
        journal.open_epoch()
        journal.open_epoch()
        journal.close()
    assert [path.name for path in tmp_path.iterdir()] == ["j.sqlite"]
