"""Lines of the audit log: an entry as one line of JSON that can be written in one way only.

An entry is a row of the hash chain of the journals: its action stands for the kind, who acted for the order, what is
left for the payload. A line that says the same in another spelling is no line of the log, so what people read and what
is hashed cannot differ.
"""

import json
import os
from typing import Any, BinaryIO, Final, NamedTuple

from nt_ray.errors import StorageError
from nt_ray.storage.chain import HASH_BYTES, Head, Row
from nt_ray.trading.encoding import Written

LONGEST_LINE: Final = 256 * 1024


class AuditError(StorageError):
    """The audit log cannot be read or written."""

    code = "audit"


class Entry(NamedTuple):
    """One entry."""

    seq: int
    time: str
    action: str
    who: str
    what: dict[str, Any]
    hash: bytes

    @property
    def written(self) -> Written:
        """What is hashed."""
        return Written(self.action, self.time, self.who, _dumps(self.what))

    @property
    def row(self) -> Row:
        """The entry as a row of a chain."""
        kind, time, who, payload = self.written
        return Row(self.seq, 0, time, kind, who, payload, self.hash)

    @property
    def head(self) -> Head:
        """Head of a chain that ends here."""
        return Head(self.seq, self.hash)

    @property
    def line(self) -> bytes:
        """The one spelling of this entry."""
        return f"{_dumps(self._asdict() | {'hash': self.hash.hex()})}\n".encode()


def parse(line: bytes) -> Entry:
    """Read a line; `AuditError` where it is none."""
    try:
        found = json.loads(line)
        entry = Entry(**(found | {"hash": bytes.fromhex(found["hash"])}))
        texts = (entry.time, entry.action, entry.who)
        right = type(entry.seq) is int and all(isinstance(t, str) for t in texts) and isinstance(entry.what, dict)
        if right and len(entry.hash) == HASH_BYTES and entry.line == line:
            return entry
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise AuditError("A line of the audit log is not one that was written to it. `nt-ray audit verify` says which.")


def read_last(file: BinaryIO) -> tuple[bytes | None, bytes]:
    """Last whole line of a file, or None where it has none, and what follows it without an end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2 * LONGEST_LINE))
    *lines, torn = file.read().split(b"\n")
    if not lines and size > LONGEST_LINE:
        raise AuditError("The last line of the audit log has no end. `nt-ray audit verify` says more.")
    return (lines[-1] + b"\n" if lines else None), torn


def _dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
