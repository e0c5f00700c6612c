"""The audit log: who did what, one line an entry, each line with a hash over itself and the line before.

Files of JSON lines in one folder. Guarantees: entries are only ever appended, numbered from 1 without a gap, across
files, and chained as the journals are (`nt_ray.storage.chain`): who changes, removes or moves a line breaks the chain
there, and who cuts its end off leaves one without the head that was noted earlier. Writers in several processes and
threads take turns by a lock on a file; what a dying writer left half written is cut off and reported by the next one.
Secrets are masked before anything is written. An entry survives the death of its process, and a loss of power where the
log is `durable`. Files are never removed.
"""

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from nt_ray.access.audit_lines import AuditError, Entry, parse, read_last
from nt_ray.access.masking import masked, masked_text
from nt_ray.access.store import private_folder
from nt_ray.config import Access
from nt_ray.storage.chain import BEGINNING, Head, link
from nt_ray.storage.whole_file import flush_folder

ACTIVE: Final = "audit.jsonl"
"""File that is written; older ones bear the number of their last entry."""
_LOCK: Final = "audit.lock"
_PROBE: Final = "audit.probe"
_LARGEST_DETAILS: Final = 16_384
_NOTHING: Final[Mapping[str, Any]] = {}


class _Tail(NamedTuple):
    """How a file ended when this process last wrote to it."""

    inode: int
    size: int
    head: Head


class AuditLog:
    """The log in a folder; safe to share between threads."""

    def __init__(
        self, folder: Path, clock: Callable[[], datetime], *, file_bytes: int = 64 * 2**20, durable: bool = False
    ) -> None:
        self.folder = folder
        self._clock, self._file_bytes, self._durable = clock, file_bytes, durable
        self._lock = threading.Lock()
        self._tail: _Tail | None = None
        private_folder(folder)

    def append(
        self,
        action: str,
        who: str,
        *,
        outcome: str = "ok",
        target: str = "",
        address: str = "",
        request: str = "",
        details: Mapping[str, Any] = _NOTHING,
    ) -> Entry:
        """Write an entry down: `who` did `action` to `target`, from an address, in a request, with an outcome."""
        texts = {"outcome": outcome, "target": target, "address": address, "request": request}
        what = {name: masked_text(text) for name, text in texts.items() if text}
        if details:
            what["details"] = _bounded(masked(details))
        with self._lock, self._turn():
            return self._write(masked_text(action), masked_text(who), what)

    def check(self) -> None:
        """Raise `AuditError` where no entry could be written now; the log itself stays as it is.

        What a large entry takes is written beside the log and removed again, since a full disk shows at nothing less.
        """
        with _opened(self.folder / ACTIVE):
            pass
        probe = self.folder / _PROBE
        try:
            with _opened(probe) as file:
                written = os.write(file.fileno(), bytes(_LARGEST_DETAILS))
        finally:
            probe.unlink(missing_ok=True)
        if written != _LARGEST_DETAILS:
            raise AuditError(f"The audit log in {self.folder} cannot be written. Free the disk.")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with _opened(self.folder / _LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, action: str, who: str, what: dict[str, Any]) -> Entry:
        path = self.folder / ACTIVE
        with _opened(path) as file:
            head, lost = self._head(file)
            if lost is not None:
                head = self._put(file, _entry(head, self._clock(), "audit.recovered", "audit", {"details": lost})).head
            entry = _entry(head, self._clock(), action, who, what)
            full = (size := os.fstat(file.fileno()).st_size) > 0 and size + len(entry.line) > self._file_bytes
            if not full:
                return self._put(file, entry)
        path.rename(self.folder / f"audit-{head.seq:012d}.jsonl")
        with _opened(path) as file:
            return self._put(file, entry)

    def _head(self, file: BinaryIO) -> tuple[Head, dict[str, Any] | None]:
        """Where the chain ends, and what was cut off a line that its writer did not finish."""
        state = os.fstat(file.fileno())
        if self._tail is not None and self._tail[:2] == (state.st_ino, state.st_size):
            return self._tail.head, None
        last, torn = read_last(file)
        if torn:
            os.ftruncate(file.fileno(), state.st_size - len(torn))
        if last is None:
            older = older_files(self.folder)
            if older:
                with older[-1].open("rb") as before:
                    last, _ = read_last(before)
        head = BEGINNING if last is None else parse(last).head
        lost = {"bytes": len(torn), "sha256": sha256(torn).hexdigest()} if torn else None
        return head, lost

    def _put(self, file: BinaryIO, entry: Entry) -> Entry:
        descriptor = file.fileno()
        written = os.write(descriptor, entry.line)
        if written != len(entry.line):
            raise AuditError(f"The audit log in {self.folder} cannot be written. Free the disk.")
        state = os.fstat(descriptor)
        if self._durable:
            os.fsync(descriptor)
            if state.st_size == written:
                # The file is new, so its name must reach the disk as well.
                flush_folder(self.folder)
        self._tail = _Tail(state.st_ino, state.st_size, entry.head)
        return entry


def folder_of(settings: Access) -> Path:
    """Folder of the audit log of the settings."""
    return settings.folder / "audit"


def open_audit(settings: Access, clock: Callable[[], datetime]) -> AuditLog:
    """Open the audit log of the settings."""
    return AuditLog(
        folder_of(settings),
        clock,
        file_bytes=round(settings.audit_file_mb * 2**20),
        durable=settings.audit_durable,
    )


def older_files(folder: Path) -> list[Path]:
    """Files that are full, oldest first."""
    return sorted(folder.glob("audit-*.jsonl"))


@contextmanager
def snapshot(folder: Path) -> Iterator[list[tuple[Path, BinaryIO, int]]]:
    """Open all files as they are at one moment: path, file and size. Writers go on meanwhile; nothing is written."""
    files: list[tuple[Path, BinaryIO, int]] = []
    try:
        while not _open_all(folder, files):
            _close(files)
        yield files
    except OSError as error:
        raise AuditError(f"The audit log in {folder} cannot be read: {error.strerror}. Check its folder.") from error
    finally:
        _close(files)


def _open_all(folder: Path, files: list[tuple[Path, BinaryIO, int]]) -> bool:
    """Open all files at one moment; False where a first writer has come meanwhile, who knows nothing of that."""
    lock = folder / _LOCK
    is_locked = lock.is_file()
    with lock.open("rb") if is_locked else nullcontext() as held:
        if held is not None:
            fcntl.flock(held, fcntl.LOCK_SH)
        for path in [*older_files(folder), *(p for p in (folder / ACTIVE,) if p.is_file())]:
            opened = path.open("rb")
            files.append((path, opened, os.fstat(opened.fileno()).st_size))
    return is_locked or not lock.is_file()


def _close(files: list[tuple[Path, BinaryIO, int]]) -> None:
    while files:
        files.pop()[1].close()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "rb") as file:
            yield file
    except OSError as error:
        raise AuditError(f"{path} cannot be written: {error.strerror}. Free the disk or set access.folder.") from error


def _entry(head: Head, now: datetime, action: str, who: str, what: dict[str, Any]) -> Entry:
    entry = Entry(head.seq + 1, now.isoformat(), action, who, what, b"")
    return entry._replace(hash=link(head.hash, entry.seq, 0, entry.written))


def _bounded(details: Any) -> Any:
    size = len(json.dumps(details))
    return details if size <= _LARGEST_DETAILS else {"left_out_bytes": size}
