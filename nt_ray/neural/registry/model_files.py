"""The files of a model as a folder: a bundle that is fit to be registered, and copies of registered ones.

A copy lies in the cache under the checksum of its content. It appears there whole, is compared with its checksums each
time it is asked for, and is fetched anew where it does not pass. Any number of processes may share a cache.
"""

import json
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from nt_ray.errors import StorageError
from nt_ray.neural.registry.manifest import FileSum, Manifest
from nt_ray.neural.registry.registry_problems import CorruptModelError
from nt_ray.storage.objects import ChecksumError, NoObjectError, ObjectAddressError, ObjectStore, checked_key, file_sum

WEIGHTS: Final = "weights.safetensors"
DESCRIPTION: Final = "model.json"


def bundle_files(folder: Path) -> dict[str, FileSum]:
    """Size and checksum of each file of a bundle, by its path in the folder; raises `CorruptModelError`."""
    if not folder.is_dir():
        raise CorruptModelError(f"There is no folder {folder}. Give the folder of a trained model.")
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if not path.is_dir()}
    for needed in (DESCRIPTION, WEIGHTS):
        if needed not in paths:
            raise CorruptModelError(f"The folder {folder} holds no {needed}. Give the folder of a trained model.")
    for name, path in paths.items():
        if path.is_symlink() or not path.is_file():
            raise CorruptModelError(f"{path} is no plain file, and a model holds no others. Put a copy in its place.")
        try:
            checked_key(name)
        except ObjectAddressError as error:
            raise CorruptModelError(f"The file {path} cannot be stored: {error}") from error
    return {name: _sum(path) for name, path in paths.items()}


def bundle_description(folder: Path) -> dict[str, Any]:
    """Read what a bundle says of itself, and look that every weight can be read; raises `CorruptModelError`."""
    place = folder / DESCRIPTION
    try:
        found = json.loads(place.read_bytes())
    except (OSError, ValueError) as error:
        raise CorruptModelError(f"{place} cannot be read: {error}. Train the model again or restore it.") from error
    if not isinstance(found, dict):
        raise CorruptModelError(f"{place} is no JSON object. Train the model again or restore it.")
    for key in ("signature", "lineage"):
        if not isinstance(found.get(key, {}), Mapping):
            raise CorruptModelError(f"{place} has a {key} that is no JSON object. Train the model again.")
    require_weights(folder / WEIGHTS)
    return found


def require_weights(path: Path) -> None:
    """Read every tensor of a file once; raises `CorruptModelError` where one cannot be."""
    try:
        with safe_open(path, framework="np") as weights:
            for name in weights.keys():  # noqa: SIM118 (no mapping)
                weights.get_slice(name).get_shape()
    except (SafetensorError, OSError) as error:
        raise CorruptModelError(
            f"The weights {path} cannot be read ({error}): damaged or cut off. Restore them or train again."
        ) from error


class ModelCache:
    """Local copies of registered models."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, store: ObjectStore, manifest: Manifest) -> Path:
        """Folder of a version, verified; raises `CorruptModelError` where the store's own files are damaged."""
        place = self._folder / manifest.digest
        if place.is_dir():
            if holds(place, manifest.files):
                return place
            self._discard(place)
        part = self._folder / f".part-{uuid.uuid4().hex}"
        try:
            for name, wanted in manifest.files.items():
                self._download(store, manifest, name, wanted.sha256, part / name)
            self._settle(part, place, manifest.files)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return place

    def sweep(self, before: datetime) -> int:
        """Remove copies that were begun before an instant and never finished; how many there were."""
        dead = 0
        for path in self._folder.glob(".part-*"):
            with suppress(FileNotFoundError):  # finished, or removed by another
                if path.stat().st_mtime < before.timestamp():
                    shutil.rmtree(path)
                    dead += 1
        return dead

    def _download(self, store: ObjectStore, manifest: Manifest, name: str, sha256: str, path: Path) -> None:
        try:
            store.download(f"files/{manifest.name}/{manifest.upload}/{name}", path, sha256)
        except (ChecksumError, NoObjectError) as error:
            raise CorruptModelError(
                f"The file {name} of model {manifest.name}/{manifest.version} is damaged or missing in {store.url}: "
                f"{error} Until then point its aliases to another version."
            ) from error

    def _settle(self, part: Path, place: Path, files: Mapping[str, FileSum]) -> None:
        try:
            part.rename(place)
        except OSError as error:
            # Another process has put the same content there.
            if not holds(place, files):
                raise StorageError(f"The folder {place} cannot be made: {error.strerror}. Remove it.") from error

    def _discard(self, place: Path) -> None:
        aside = self._folder / f".part-{uuid.uuid4().hex}"
        try:
            place.rename(aside)
        except FileNotFoundError:  # discarded by another
            return
        shutil.rmtree(aside, ignore_errors=True)


def holds(folder: Path, files: Mapping[str, FileSum]) -> bool:
    """Whether a folder holds exactly these files, to the last bit."""
    try:
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
        return found == set(files) and all(
            (folder / name).stat().st_size == wanted.size and file_sum(folder / name).sha256 == wanted.sha256
            for name, wanted in files.items()
        )
    except OSError:
        return False


def _sum(path: Path) -> FileSum:
    found = file_sum(path)
    return FileSum(size=found.size, sha256=found.sha256)
