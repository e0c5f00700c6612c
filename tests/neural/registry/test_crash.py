"""Writers that are killed, and writers at once, each a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nt_ray.neural.registry.registry import Registry
from nt_ray.neural.registry.registry_problems import UnknownModelError
from nt_ray.storage.objects import S3Access

Bundle = Callable[..., Path]
Place = tuple[str, S3Access]

START = """
import sys, time
from pathlib import Path
from nt_ray.neural.registry.registry import Registry
from nt_ray.storage import objects_folder, objects_s3
from nt_ray.storage.objects import S3Access, open_objects
url, endpoint, cache, *rest = sys.argv[1:]
store = open_objects(url, S3Access(endpoint or None, "eu-central-1"))
registry = Registry(store, Path(cache), by=rest[0])
"""

STOP = """
def stop(*_):
    print("here", flush=True)
    time.sleep(600)

name, point, folder = rest
if point == "inside a file":
    if endpoint:
        objects_s3.PART = 5 << 20
        upload = store._client.upload_file
        store._client.upload_file = lambda *a, **k: upload(*a, **k, Callback=lambda n: n > 1000 and stop())
    else:
        def half(source, target):
            target.write(source.read(1 << 20))
            target.flush()
            stop()
        objects_folder.copied = half
elif point == "between files":
    upload, done = store.upload, []
    store.upload = lambda *a: stop() if done else done.append(a) or upload(*a)
elif point == "before the manifest":
    put_if = store.put_if
    store.put_if = lambda key, *a: stop() if key.startswith("versions/") else put_if(key, *a)
registry.register(Path(folder), name)
"""

WRITE = """
for folder in rest[1:]:
    version = registry.register(Path(folder), "m", {"by": rest[0]})
    registry.promote("m", version, "challenger")
"""

POINTS = ("inside a file", "between files", "before the manifest")


def started(place: Place, program: str, cache: Path, *arguments: str) -> "subprocess.Popen[str]":
    url, access = place
    command = [sys.executable, "-c", START + program, url, access.endpoint or "", str(cache), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_writer_killed_in_mid_upload_leaves_no_version(
    place: Place, registry: Registry, bundle: Bundle, tmp_path: Path
) -> None:
    folder = bundle(1, 3 << 19)
    names = [point.replace(" ", "-") for point in POINTS]
    writers = [
        started(place, STOP, tmp_path / "cache", name, point, str(folder))
        for name, point in zip(names, POINTS, strict=True)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "here\n"
        os.kill(writer.pid, signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
        writer.stdout.close()

    assert registry.list() == ()
    for name in names:
        with pytest.raises(UnknownModelError):
            registry.resolve(f"{name}/1")
    left = {name: len(list(registry.store.list(f"files/{name}/"))) for name in names}
    assert left["between-files"] == 1
    assert left["before-the-manifest"] == 2

    small = bundle(2)
    # Young remains are left alone: their writer may be alive.
    assert registry.register(small, "before-the-manifest") == 1
    assert len(list(registry.store.list("files/before-the-manifest/"))) == 4
    tomorrow = Registry(
        registry.store, tmp_path / "cache", clock=lambda: datetime.now(UTC) + timedelta(hours=25), by="bob"
    )
    for name in names:
        tomorrow.sweep(name)
    files = [entry.key.split("/")[1] for entry in registry.store.list("files/")]
    assert files == ["before-the-manifest"] * 2
    assert registry.resolve("before-the-manifest/1").is_dir()
    if not place[1].endpoint:
        assert list((Path(place[0]) / ".uploads").iterdir()) == []


def test_writers_at_once_lose_no_version_and_no_event(
    place: Place, registry: Registry, bundle: Bundle, tmp_path: Path
) -> None:
    each, names = 2, ("ann", "bob", "eve")
    seeds = iter(range(100))
    folders = {name: [str(bundle(next(seeds))) for _ in range(each)] for name in names}
    writers = [started(place, WRITE, tmp_path / "cache", name, *folders[name]) for name in names]
    assert [writer.communicate(timeout=120) and writer.returncode for writer in writers] == [0, 0, 0]

    versions = registry.model("m").versions
    assert versions == tuple(range(1, len(names) * each + 1))
    found = {(registry.resolve(f"m/{v}") / "weights.safetensors").read_bytes() for v in versions}
    given = {(Path(f) / "weights.safetensors").read_bytes() for some in folders.values() for f in some}
    assert found == given
    by = [registry.describe(f"m/{v}").manifest.tags["by"] for v in versions]
    assert [by.count(name) for name in names] == [each] * len(names)

    events = registry.history("m")[::-1]
    assert [e.seq for e in events] == list(versions)
    assert sorted(e.version for e in events) == list(versions)
    assert [e.before.version if e.before else None for e in events] == [None, *(e.version for e in events[:-1])]
    assert dict(registry.model("m").aliases) == {"challenger": events[-1].version}
    # A writer that came second leaves an event that does not count, until it is swept.
    registry.sweep("m", timedelta())
    assert len(list(registry.store.list("history/"))) == len(events)
    assert registry.history("m")[::-1] == events
