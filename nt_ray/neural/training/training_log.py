"""The log of a training run: a line of JSON for each start and for each reading of the losses, kept as they come.

A run that goes on from a checkpoint takes the lines after it back, since it will write them again; so each step is
told of once, however often the run was killed. It knows nothing of how steps are taken.
"""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nt_ray.errors import StorageError
from nt_ray.neural.training.training import Progress

LOG: Final = "training.jsonl"


class TrainingLog:
    """Lines of one run in `folder`; `step` is where it goes on."""

    def __init__(self, folder: Path, step: int = 0, workers: int = 1) -> None:
        self._path = folder / LOG
        kept = [line for line in read_log(folder) if line["step"] <= step]
        start = {"event": "start", "step": step, "workers": workers, "pid": os.getpid(), "host": socket.gethostname()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_name(f".{LOG}.{os.getpid()}")
            fresh.write_text("".join(map(_line, [*kept, start])), encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            raise self._failed(error) from error

    def add(self, progress: Progress) -> None:
        """Keep a reading."""
        row = {
            "event": "read",
            "step": progress.step,
            "loss": progress.loss,
            "validation": progress.validation,
        }
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(row))
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(f"{str(self._path)!r} cannot be written ({error.strerror}). Give a writable folder.")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Lines of a run so far; none where there is no log, and without a half line that a kill left at the end."""
    try:
        text = (folder / LOG).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(
            f"{str(folder / LOG)!r} cannot be read ({error.strerror}). Give a readable folder."
        ) from error
    try:
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    except ValueError as error:
        raise StorageError(f"{str(folder / LOG)!r} is damaged ({error}). Train anew in another folder.") from error


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"
