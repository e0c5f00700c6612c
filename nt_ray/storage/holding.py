"""Whether the newest writer of a journal in a file still lives: a lock beside the file, which ends with its process.

It is a sign for people and decides nothing: what keeps two writers apart is the epoch. Each writer puts a file of its
own, locked before it is seen, in the place of the one before. So the lock that is found is that of the newest writer,
whatever an older one, fenced off, still holds.
"""

import fcntl
import json
import os
import socket
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_ENDING: Final = ".writer"


@dataclass(frozen=True, slots=True)
class Holder:
    """A living writer: its epoch, and process and machine where they are known."""

    epoch: int
    pid: int | None = None
    host: str = ""

    def __str__(self) -> str:
        """Say who it is, for a sentence."""
        return f"process {self.pid} on {self.host}" if self.pid is not None else f"the writer of epoch {self.epoch}"


class Holding:
    """The lock of one writer, held until `close` or the end of the process."""

    def __init__(self, journal: Path, epoch: int) -> None:
        self._path = _beside(journal)
        own = self._path.with_name(f"{self._path.name}.{os.getpid()}-{epoch}")
        # Not a file object: a journal that is dropped without being closed gives its lock back without a word.
        self._descriptor = os.open(own, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self._end = weakref.finalize(self, os.close, self._descriptor)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        os.write(self._descriptor, json.dumps(asdict(Holder(epoch, os.getpid(), socket.gethostname()))).encode())
        own.replace(self._path)

    def close(self) -> None:
        """Let go; the file goes where it is still this writer's."""
        if not self._end.alive:
            return
        try:
            if os.path.samestat(self._path.stat(), os.fstat(self._descriptor)):
                self._path.unlink()
        except FileNotFoundError:
            pass
        self._end()


def holder_of(journal: Path) -> Holder | None:
    """Find the living writer of a journal; None where there is none."""
    try:
        descriptor = os.open(_beside(journal), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Holder(**json.loads(os.read(descriptor, 4096)))
    finally:
        os.close(descriptor)
    return None


def _beside(journal: Path) -> Path:
    return journal.with_name(journal.name + _ENDING)
