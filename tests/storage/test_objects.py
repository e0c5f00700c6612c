import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from benchmarks.s3_server import REGION, new_bucket, s3_server
from nt_ray.errors import StorageError
from nt_ray.storage import objects_s3
from nt_ray.storage.objects import (
    ChangedError,
    ChecksumError,
    NoObjectError,
    ObjectAddressError,
    ObjectStore,
    S3Access,
    open_objects,
)

PROGRAM = """
import sys
from nt_ray.storage.objects import ChangedError, S3Access, open_objects
url, endpoint, name, count = sys.argv[1:]
store = open_objects(url, S3Access(endpoint or None, "eu-central-1"))
won = 0
for n in range(int(count)):
    try:
        store.put_if(f"claims/{n}", name.encode(), None)
        won += 1
    except ChangedError:
        pass
    while True:
        seen = store.get("counter")
        try:
            store.put_if("counter", b"%d" % (int(seen.data) + 1), seen.version)
            break
        except ChangedError:
            pass
print(won)
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, S3Access]:
    if request.param == "folder":
        return str(tmp_path / "objects"), S3Access()
    endpoint = request.getfixturevalue("endpoint")
    return f"s3://{new_bucket(endpoint)}/some/prefix", S3Access(endpoint, REGION)


@pytest.fixture
def store(place: tuple[str, S3Access]) -> ObjectStore:
    return open_objects(*place)


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


def test_what_is_put_is_got_and_listed_in_order(store: ObjectStore) -> None:
    assert keys(store) == []
    for key in ("b/2", "a", "b/10", "b2"):
        store.put(key, key.encode())
    assert keys(store) == ["a", "b/10", "b/2", "b2"]
    assert keys(store, "b/") == ["b/10", "b/2"]
    assert keys(store, "b/1") == ["b/10"]
    assert keys(store, "c/") == []
    assert store.get("b/10").data == b"b/10"
    entry = store.head("b/10")
    assert (entry.key, entry.size) == ("b/10", 4)
    assert abs(entry.modified - datetime.now(UTC)) < timedelta(minutes=5)
    assert next(store.list("b/10")) == entry


def test_a_later_put_replaces_and_a_delete_removes(store: ObjectStore) -> None:
    first = store.put("a/x", b"one")
    second = store.put("a/x", b"two")
    assert first != second
    assert store.get("a/x") == type(store.get("a/x"))(b"two", second)
    store.delete("a/x")
    store.delete("a/x")
    assert keys(store) == []
    with pytest.raises(NoObjectError, match="no object a/x"):
        store.get("a/x")
    with pytest.raises(NoObjectError):
        store.head("a/x")


def test_a_conditional_write_needs_what_its_writer_has_seen(store: ObjectStore) -> None:
    first = store.put_if("k", b"1", None)
    with pytest.raises(ChangedError, match="written by another"):
        store.put_if("k", b"2", None)
    second = store.put_if("k", b"2", first)
    assert store.get("k").version == second
    with pytest.raises(ChangedError):
        store.put_if("k", b"3", first)
    assert store.get("k").data == b"2"
    store.delete("k")
    with pytest.raises(ChangedError):
        store.put_if("k", b"3", second)
    assert keys(store) == []
    store.put_if("k", b"3", None)


def test_a_file_goes_up_and_down_with_its_checksum(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Large enough for an upload in parts.
    monkeypatch.setattr(objects_s3, "PART", 5 << 20)
    data = os.urandom(6 << 20)
    (tmp_path / "up").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    found = store.upload("files/big", tmp_path / "up")
    assert (found.size, found.sha256) == (len(data), sha256)
    assert store.download("files/big", tmp_path / "down", sha256) == found
    assert (tmp_path / "down").read_bytes() == data


def test_a_download_that_is_not_what_was_promised_leaves_no_file(store: ObjectStore, tmp_path: Path) -> None:
    store.put("files/x", b"damaged")
    with pytest.raises(ChecksumError, match="damaged or cut off"):
        store.download("files/x", tmp_path / "in" / "x", hashlib.sha256(b"whole").hexdigest())
    with pytest.raises(NoObjectError):
        store.download("files/y", tmp_path / "in" / "y")
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", "../a", "a/../b", ".hidden", "a/.b", "a b", "ä", "a" * 513])
def test_a_key_that_leads_elsewhere_is_refused(store: ObjectStore, key: str) -> None:
    for call in (lambda: store.put(key, b""), lambda: store.get(key), lambda: store.delete(key)):
        with pytest.raises(ObjectAddressError, match="no key of an object"):
            call()


def test_of_many_processes_each_object_has_one_writer_and_no_count_is_lost(
    place: tuple[str, S3Access], store: ObjectStore
) -> None:
    url, access = place
    count = 5
    store.put("counter", b"0")
    names = ["ann", "bob", "eve"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, url, access.endpoint or "", name, str(count)], stdout=subprocess.PIPE
        )
        for name in names
    ]
    won = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(won) == count
    owners = [store.get(f"claims/{n}").data.decode() for n in range(count)]
    assert [owners.count(name) for name in names] == won
    assert int(store.get("counter").data) == len(names) * count


def test_what_dead_writers_left_is_swept_by_its_age(place: tuple[str, S3Access], store: ObjectStore) -> None:
    url, access = place
    store.put("whole", b"1")
    if access.endpoint is None:
        (Path(url) / ".uploads" / "dead.part").write_bytes(b"half")
    else:
        bucket = url.split("/")[2]
        client = boto3.client("s3", endpoint_url=access.endpoint, region_name=REGION)
        begun = client.create_multipart_upload(Bucket=bucket, Key="some/prefix/half")
        client.upload_part(Bucket=bucket, Key="some/prefix/half", PartNumber=1, UploadId=begun["UploadId"], Body=b"h")
    assert keys(store) == ["whole"]
    # moto dates every unfinished upload 2010.
    assert store.sweep(datetime(2000, 1, 1, tzinfo=UTC)) == 0
    assert store.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert store.sweep(datetime.now(UTC) + timedelta(hours=1)) == 0
    assert keys(store) == ["whole"]


def test_addresses_that_name_no_store_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ObjectAddressError, match="cannot lie at ftp://"):
        open_objects("ftp://host/x")
    with pytest.raises(ObjectAddressError, match="names no bucket"):
        open_objects("s3://")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file"):
        open_objects(tmp_path / "file")


def test_a_folder_says_when_a_key_lies_under_an_object(tmp_path: Path) -> None:
    store = open_objects(tmp_path)
    store.put("a/b", b"")
    for key in ("a", "a/b/c"):
        with pytest.raises(StorageError, match="finds no place"):
            store.put(key, b"")
    assert keys(store) == ["a/b"]


def test_an_emptied_folder_is_removed_with_its_last_object(tmp_path: Path) -> None:
    store = open_objects(tmp_path / "o")
    store.delete("never/there")
    assert not (tmp_path / "o").exists()
    store.put("a/b/c", b"")
    store.put("a/d", b"")
    store.delete("a/b/c")
    assert [p.name for p in (tmp_path / "o" / "a").iterdir()] == ["d"]


def test_a_bucket_that_is_not_there_is_an_error_that_says_so(endpoint: str) -> None:
    store = open_objects("s3://no-such-bucket-anywhere", S3Access(endpoint, REGION))
    with pytest.raises(StorageError, match="Check bucket and rights"):
        store.put("a", b"")
    with pytest.raises(StorageError, match="Check bucket and rights"):
        list(store.list())


def test_an_endpoint_that_does_not_answer_is_an_error_that_says_so() -> None:
    store = objects_s3.S3Objects("bucket", "", S3Access("http://127.0.0.1:9", REGION))
    store._client.meta.config.retries = {"total_max_attempts": 1}
    with pytest.raises(StorageError, match="Check endpoint"):
        store.get("a")
    with pytest.raises(ObjectAddressError, match="Correct endpoint"):
        open_objects("s3://bucket", S3Access("nonsense", REGION)).get("a")


@pytest.mark.parametrize("ignored", ["IfNoneMatch", "IfMatch"])
def test_a_store_that_ignores_conditions_is_refused(
    endpoint: str, ignored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = objects_s3.S3Objects(new_bucket(endpoint), "p", S3Access(endpoint, REGION))
    put = store._client.put_object
    monkeypatch.setattr(
        store._client, "put_object", lambda **given: put(**{k: v for k, v in given.items() if k != ignored})
    )
    with pytest.raises(StorageError, match="ignores the conditions"):
        store.put_if("a", b"1", None)
    assert keys(store) == []


def test_a_write_whose_answer_was_lost_knows_its_own_object_again(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = objects_s3.S3Objects(new_bucket(endpoint), "p", S3Access(endpoint, REGION))
    store.put_if("warm", b"", None)
    put = store._client.put_object

    def twice(**given: Any) -> Any:
        # What a repetition within the client does after the answer to the first attempt was lost.
        put(**given)
        return put(**given)

    monkeypatch.setattr(store._client, "put_object", twice)
    version = store.put_if("a", b"1", None)
    assert store.get("a").version == version
    assert store.put_if("a", b"2", version) == store.get("a").version
    assert store.get("a").data == b"2"
    with pytest.raises(ChangedError):
        store.put_if("a", b"3", version)
