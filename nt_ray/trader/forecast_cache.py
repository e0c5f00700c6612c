"""Forecasts that were made once, kept as files by the digest of everything they depend on.

A file appears whole or not at all, carries a digest of its values, and one that is damaged counts as none. Files are
only ever added; whoever needs the room may delete the folder.
"""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import torch

import nt_ray.neural
from nt_ray.storage.whole_file import flush, unfinished
from nt_ray.types import FloatArray

_SUM: Final = hashlib.sha256().digest_size


class ForecastCache:
    """Arrays (T, N) of float64 by key in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str, shape: tuple[int, ...]) -> FloatArray | None:
        """Values of a key; None where there are none of this shape, or where they are damaged."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
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
        except OSError:
            return

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.f64"


def code_digest() -> str:
    """Digest of the source of the forecasters, and the version of torch."""
    sha = hashlib.sha256(torch.__version__.encode())
    room = Path(nt_ray.neural.__path__[0])
    for path in sorted([*room.glob("*.py"), *(room / "models").glob("*.py")]):
        sha.update(path.name.encode() + path.read_bytes())
    return sha.hexdigest()
