"""Object storage: whole objects by key, in a folder or in S3, with one contract.

Guaranteed, on every store: an object is there whole or not at all, whoever is killed meanwhile; `put_if` writes only
over what its caller has seen, of any number of writers at once exactly one; a download is compared with its checksum.
A version names content: an object that was changed and changed back has its old version again. What the objects mean is
not known here.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from nt_ray.errors import BadInputError, StorageError

KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@=-]*(/[A-Za-z0-9_][A-Za-z0-9._@=-]*)*")
"""Keys are parts between slashes; none begins with a dot, so that stores may keep things of their own beside them."""

LONGEST_KEY: Final = 512
CHUNK: Final = 1 << 20


class NoObjectError(StorageError):
    """There is no object of that key."""

    code = "no_object"
    status = 404

    def __init__(self, key: str, store: str) -> None:
        super().__init__(f"There is no object {key} in {store}. List what is there, or write it first.")


class ChangedError(StorageError):
    """Another writer was first: the object is not what the caller has seen."""

    code = "object_changed"
    status = 409

    def __init__(self, key: str, store: str) -> None:
        super().__init__(f"The object {key} in {store} was written by another. Read it again, then write.")


class ChecksumError(StorageError):
    """Content that is not what its checksum says."""

    code = "checksum"


class ObjectAddressError(BadInputError):
    """An address or a key that no object can have."""

    code = "object_address"


@dataclass(frozen=True, slots=True)
class Content:
    """What an object held at one instant, and the version that names it."""

    data: bytes
    version: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a listing: key, size in bytes, when it was written (UTC, by the store's clock)."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Sum:
    """Size in bytes and SHA-256 in hexadecimal digits of a file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class S3Access:
    """How S3 is reached; None leaves it to the environment and to boto3's own rules, as credentials always are."""

    endpoint: str | None = None
    region: str | None = None


DEFAULT_ACCESS: Final = S3Access()


class ObjectStore(Protocol):
    """A store of objects."""

    url: str

    def put(self, key: str, data: bytes) -> str:
        """Write an object, whatever was there; its new version."""
        ...

    def put_if(self, key: str, data: bytes, version: str | None) -> str:
        """Write an object over the version named, or only where there is none; its new version.

        Raises `ChangedError`, and has written nothing, where the object is another or there is one after all.
        """
        ...

    def get(self, key: str) -> Content:
        """Read a small object; raises `NoObjectError`."""
        ...

    def head(self, key: str) -> Entry:
        """Say what is known of an object without reading it; raises `NoObjectError`."""
        ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Objects whose key begins with a text, in the order of their keys."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; that there is none is no error."""
        ...

    def upload(self, key: str, path: Path) -> Sum:
        """Write an object from a file, in pieces; what was read."""
        ...

    def download(self, key: str, path: Path, sha256: str | None = None) -> Sum:
        """Read an object into a file, in pieces; the file appears whole and only where the checksum is right.

        Raises `NoObjectError` and `ChecksumError`.
        """
        ...

    def sweep(self, before: datetime, prefix: str = "") -> int:
        """Remove what writers that died before an instant left unfinished of objects whose key begins with a text.

        How many there were. A store that does not tell keys of what is unfinished is its own, and swept as a whole.
        """
        ...


def open_objects(url: str | Path, access: S3Access = DEFAULT_ACCESS) -> ObjectStore:
    """Open the store at the path of a folder or at `s3://BUCKET/PREFIX`; a folder is made with its first object."""
    scheme, colon, rest = str(url).partition("://")
    if isinstance(url, Path) or not colon:
        from nt_ray.storage.objects_folder import FolderObjects

        return FolderObjects(Path(url).expanduser())
    if scheme != "s3":
        raise ObjectAddressError(f"Objects cannot lie at {scheme}://. Give the path of a folder or s3://BUCKET/PREFIX.")
    from nt_ray.storage.objects_s3 import S3Objects

    bucket, _, prefix = rest.partition("/")
    return S3Objects(bucket, prefix.strip("/"), access)


def checked_key(key: str) -> str:
    """Return a key that every store takes; raises `ObjectAddressError` on any other."""
    if len(key) > LONGEST_KEY or not KEY.fullmatch(key):
        raise ObjectAddressError(
            f"{key!r} is no key of an object. Use up to {LONGEST_KEY} letters, digits and ._@=- between slashes, no "
            "part beginning with a dot."
        )
    return key


def file_sum(path: Path) -> Sum:
    """Size and SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return copied(file, None)


def copied(source: BinaryIO, target: BinaryIO | None) -> Sum:
    """Copy a stream in pieces, or only read it where there is no target; size and SHA-256 of it."""
    digest, size = hashlib.sha256(), 0
    while piece := source.read(CHUNK):
        digest.update(piece)
        size += len(piece)
        if target is not None:
            target.write(piece)
    return Sum(size, digest.hexdigest())


def require_sum(key: str, found: Sum, sha256: str | None) -> None:
    """Raise `ChecksumError` where content is not what was promised."""
    if sha256 is not None and found.sha256 != sha256:
        raise ChecksumError(
            f"The object {key} has the checksum {found.sha256[:12]}… over {found.size:,} bytes, not {sha256[:12]}…: it "
            "is damaged or cut off. Restore it from a copy."
        )
