"""Forecasts that were made once, kept as files by the digest of everything they depend on.

A file appears whole or not at all, carries a digest of its values, and one that is damaged counts as none. Together
they take no more than a limit: those that were not asked for the longest go first. Whoever needs the room may delete
the folder.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import torch

import nt_ray.neural
import nt_ray.philox
from nt_ray.storage.whole_file import flush, unfinished
from nt_ray.types import FloatArray

KIND: Final = ".f64"
LIMIT: Final = 256 * 10**6
DEAD_AFTER_S: Final = 86_400.0
"""Age at which a file that was never finished is taken for the rest of a writer that died."""
_SUM: Final = hashlib.sha256().digest_size


class ForecastCache:
    """Arrays (T, N) of float64 by key in a folder, of `limit` bytes together; the newest is kept whatever its size."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit

    def get(self, key: str, shape: tuple[int, ...]) -> FloatArray | None:
        """Values of a key; None where there are none of this shape, or where they are damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):  # a folder that nobody may write to still answers
            os.utime(path)
        values = content[_SUM:]
        if hashlib.sha256(values).digest() != content[:_SUM] or len(values) != 8 * int(np.prod(shape)):
            return None
        return np.frombuffer(values, dtype="<f8").reshape(shape).astype(np.float64)

    def put(self, key: str, values: FloatArray) -> None:
        """Keep values under a key; where the folder cannot be written they are made anew the next time."""
        content = np.ascontiguousarray(values, dtype="<f8").tobytes()
        try:
            with unfinished(self._folder) as (path, file):
                file.write(hashlib.sha256(content).digest() + content)
                flush(file)
                path.replace(self._path(key))
            self._prune(keep=self._path(key))
        except OSError:
            return

    def _prune(self, keep: Path) -> None:
        """Delete the files that were not asked for the longest, until the rest fits."""
        found = []
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another run prunes as well
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        room = self._limit - sum(size for _, size, path in found if path == keep)
        for moment, size, path in sorted(found, reverse=True):
            if path == keep:
                continue
            if path.suffix == KIND:
                room -= size
            if room < 0 if path.suffix == KIND else moment < time.time() - DEAD_AFTER_S:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{KIND}"


def code_digest(rooms: Sequence[Path] | None = None) -> str:
    """Digest of every source of the forecasters and of their random numbers, and the version of torch.

    `rooms` are the files, and the folders with all below them, in place of those that are installed.
    """
    sha = hashlib.sha256(torch.__version__.encode())
    for room in [Path(nt_ray.neural.__path__[0]), Path(nt_ray.philox.__file__)] if rooms is None else rooms:
        for path in [room] if room.is_file() else sorted(room.rglob("*.py")):
            content = path.read_bytes()
            sha.update(f"{path.relative_to(room.parent).as_posix()}\0{len(content)}\0".encode() + content)
    return sha.hexdigest()
