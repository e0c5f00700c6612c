"""Objects as files of a folder.

An object is written beside its place and renamed into it. Every change of a name, and the look at what was there
before it, happens under one lock of the operating system (`flock`), which ends with its holder; so writers may be any
number of processes on this machine, or on others where the file system's locks reach them (NFS from version 4). Readers
take no lock. Unfinished files lie in `.uploads`.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from nt_ray.errors import StorageError
from nt_ray.storage.objects import ChangedError, Content, Entry, NoObjectError, Sum, checked_key, copied, require_sum
from nt_ray.storage.whole_file import flush, flush_folder, unfinished


class FolderObjects:
    """A store in a folder."""

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise StorageError(f"{root} is a file, so no objects fit into it. Give the path of a folder.")
        self._root = root
        self.url = str(root)

    def put(self, key: str, data: bytes) -> str:
        """Write an object, whatever was there; its new version."""
        place = self._place(key)
        with self._spoken(key), self._written(data) as path, self._lock():
            self._move(path, place)
        return _version(data)

    def put_if(self, key: str, data: bytes, version: str | None) -> str:
        """Write an object over the version named, or only where there is none; its new version."""
        place = self._place(key)
        with self._spoken(key), self._written(data) as path, self._lock():
            found = _version(place.read_bytes()) if place.is_file() else None
            if found != version:
                raise ChangedError(key, self.url)
            self._move(path, place)
        return _version(data)

    def get(self, key: str) -> Content:
        """Read a small object."""
        with self._opened(key) as file:
            data = file.read()
        return Content(data, _version(data))

    def head(self, key: str) -> Entry:
        """Say what is known of an object without reading it."""
        with self._opened(key) as file:
            return _entry(key, os.fstat(file.fileno()))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Objects whose key begins with a text, in the order of their keys."""
        start = self._root / prefix.rpartition("/")[0]
        keys = sorted(key for key in self._keys(start) if key.startswith(prefix))
        for key in keys:
            try:
                yield _entry(key, (self._root / key).stat())
            except FileNotFoundError:  # deleted since its name was read
                continue

    def delete(self, key: str) -> None:
        """Remove an object; that there is none is no error."""
        place = self._place(key)
        if not self._root.is_dir():
            return
        with self._spoken(key), self._lock():
            place.unlink(missing_ok=True)
            self._prune(place.parent)

    def upload(self, key: str, path: Path) -> Sum:
        """Write an object from a file, in pieces."""
        place = self._place(key)
        with self._spoken(key), path.open("rb") as source, unfinished(self._unfinished) as (part, file):
            found = copied(source, file)
            flush(file)
            with self._lock():
                self._move(part, place)
        return found

    def download(self, key: str, path: Path, sha256: str | None = None) -> Sum:
        """Read an object into a file, in pieces."""
        with self._spoken(key), self._opened(key) as source, unfinished(path.parent) as (part, file):
            found = copied(source, file)
            require_sum(key, found, sha256)
            flush(file)
            part.replace(path)
        return found

    def sweep(self, before: datetime, prefix: str = "") -> int:
        """Remove unfinished files that nobody has written to since an instant; they have no keys yet."""
        del prefix
        dead = 0
        for path in self._unfinished.glob("*.part"):
            try:
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
                    dead += 1
            except FileNotFoundError:  # finished, or removed by another
                continue
        return dead

    @property
    def _unfinished(self) -> Path:
        return self._root / ".uploads"

    def _place(self, key: str) -> Path:
        return self._root / checked_key(key)

    @contextmanager
    def _opened(self, key: str) -> Iterator[BinaryIO]:
        try:
            file = self._place(key).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NoObjectError(key, self.url) from None
        with file:
            yield file

    @contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        with unfinished(self._unfinished) as (path, file):
            file.write(data)
            flush(file)
            yield path

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._root / ".lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _move(self, path: Path, place: Path) -> None:
        new = [folder for folder in place.parents if folder.is_relative_to(self._root) and not folder.exists()]
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
        for folder in (place.parent, *(folder.parent for folder in new)):
            flush_folder(folder)

    @contextmanager
    def _spoken(self, key: str) -> Iterator[None]:
        """Say in words what the file system refuses."""
        try:
            yield
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise StorageError(
                f"The object {key} finds no place in {self.url}: a part of its key is an object, or objects lie under "
                "it. Choose another key."
            ) from None
        except OSError as error:
            raise StorageError(
                f"The object {key} in {self.url} cannot be moved: {error.strerror}. Check the disk and its rights."
            ) from error

    def _prune(self, folder: Path) -> None:
        """Remove folders that the last object has left."""
        while folder != self._root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    def _keys(self, start: Path) -> Iterator[str]:
        for folder, folders, names in os.walk(start):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if not name.startswith("."):
                    yield (Path(folder) / name).relative_to(self._root).as_posix()


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _entry(key: str, status: os.stat_result) -> Entry:
    return Entry(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
