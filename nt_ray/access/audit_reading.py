"""Reading the audit log: its entries, and whether anybody has changed them. Nothing is written."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from nt_ray.access.audit import snapshot
from nt_ray.access.audit_lines import LONGEST_LINE, AuditError, Entry, parse
from nt_ray.storage import chain
from nt_ray.storage.sqlite import MissingError

_BLOCK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry at which the log is broken, how, and the file and line where that shows."""

    seq: int
    reason: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the log found; `fault` is None where it is whole."""

    entries: int
    head: str
    fault: Fault | None = None
    expected_at: int | None = None


@dataclass(slots=True)
class _Place:
    """Line that is being read."""

    file: str = ""
    line: int = 0
    seq: int = 0


def verify(folder: Path, expected: str = "") -> Verification:
    """Walk along the log and name the first entry that was changed, removed or moved.

    `expected` is a head noted earlier, in hex: a log that does not hold it has lost its end.
    """
    place = _Place()
    wanted = chain.expected_hash(expected).hex() if expected else ""
    with _whole(folder) as files:
        try:
            found = chain.verify((entry.row for entry in _entries(files, place)), wanted)
        except AuditError:
            reason = f"line {place.line} of {place.file} is no entry"
            return Verification(place.seq, "", Fault(place.seq + 1, reason, place.file, place.line))
    broken = found.fault
    fault = None if broken is None else Fault(broken.seq, broken.reason, place.file, place.line)
    return Verification(found.rows, found.head.hash.hex(), fault, found.expected_at)


def last_entries(folder: Path, count: int, chosen: Callable[[Entry], bool] = lambda _: True) -> list[Entry]:
    """Last entries that are chosen, oldest first; `AuditError` where a line among them is none."""
    found: deque[Entry] = deque(maxlen=count)
    with _whole(folder) as files:
        for _, file, size in reversed(files):
            for line in _backwards(file, size):
                if len(found) == count:
                    return list(found)
                entry = parse(line)
                if chosen(entry):
                    found.appendleft(entry)
    return list(found)


def entries_before(folder: Path, number: int | None = None) -> Iterator[Entry]:
    """Walk from the end, or from an entry's number, to the beginning; `AuditError` where a line on the way is none.

    Files that end behind the number are not read. A folder that is not there has no entries.
    """
    if not folder.is_dir():
        return
    with snapshot(folder) as files:
        for place in reversed(range(len(files))):
            if number is not None and place and _last_of(files[place - 1][0]) >= number - 1:
                continue
            for line in _backwards(*files[place][1:]):
                entry = parse(line)
                if number is None or entry.seq < number:
                    yield entry


def _last_of(path: Path) -> int:
    """Number of the last entry of a full file, which bears it."""
    return int(path.stem.rpartition("-")[2])


def _whole(folder: Path) -> AbstractContextManager[list[tuple[Path, BinaryIO, int]]]:
    if not folder.is_dir():
        raise MissingError(f"{folder} does not exist. Give the folder of an audit log.")
    return snapshot(folder)


def _backwards(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Lines of a file, the last one first; memory holds a block and a line."""
    rest = b""
    while size > 0:
        block = min(size, _BLOCK)
        size -= block
        file.seek(size)
        # What the block begins with may be the end of a line that begins before it.
        rest, *lines = (file.read(block) + rest).splitlines(keepends=True)
        yield from reversed(lines)
    if rest:
        yield rest


def _entries(files: list[tuple[Path, BinaryIO, int]], place: _Place) -> Iterator[Entry]:
    for path, file, size in files:
        place.file, place.line = path.name, 0
        left = size
        while left > 0:
            line = file.readline(min(left, LONGEST_LINE))
            left -= len(line)
            place.line += 1
            entry = parse(line)
            yield entry
            place.seq = entry.seq
