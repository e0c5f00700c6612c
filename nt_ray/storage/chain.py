"""The hash chain of a journal: each row carries a hash over itself and the hash of the row before.

A row's hash is SHA-256 over the hash before it and a text of its fields that can be read in one way only: the lengths
of the texts stand before them. Sequence numbers run from 1 without a gap. Who changes, removes, inserts or moves a row
breaks the chain from there on; who cuts its end off leaves a chain that no longer holds a head noted earlier. The chain
knows neither what the rows mean nor where they lie.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from nt_ray.errors import StorageError
from nt_ray.trading.encoding import Written

HASH_BYTES: Final = 32


class Head(NamedTuple):
    """Where a chain ends: the number and the hash of its last row."""

    seq: int
    hash: bytes


BEGINNING: Final = Head(0, bytes(HASH_BYTES))
"""Head of an empty chain."""


class Row(NamedTuple):
    """One event as it is stored."""

    seq: int
    epoch: int
    time: str
    kind: str
    client_order_id: str
    payload: str
    hash: bytes

    @property
    def written(self) -> Written:
        """The event as text."""
        return Written(self.kind, self.time, self.client_order_id, self.payload)


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row at which a chain is broken, and how."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along a chain found; `fault` is None where it is whole.

    `expected_at` is the number of the row with the expected head, where one was given and found.
    """

    rows: int
    head: Head
    fault: Fault | None = None
    expected_at: int | None = None


def link(before: bytes, seq: int, epoch: int, written: Written) -> bytes:
    """Hash of a row that follows the row with the hash `before`."""
    kind, time, client_order_id, payload = written
    text = (
        f"{seq} {epoch} {len(time)} {len(kind)} {len(client_order_id)} {len(payload)} "
        f"{time}{kind}{client_order_id}{payload}"
    )
    return sha256(before + text.encode()).digest()


def extend(head: Head, epoch: int, texts: Sequence[Written]) -> list[Row]:
    """Rows that follow `head`, one for each event."""
    seq, digest = head
    rows = []
    for written in texts:
        seq += 1
        digest = link(digest, seq, epoch, written)
        kind, time, client_order_id, payload = written
        rows.append(Row(seq, epoch, time, kind, client_order_id, payload, digest))
    return rows


def verify(rows: Iterable[Row], expected: str = "") -> Verification:
    """Walk along a chain from its beginning and name the first row that is missing, changed or out of place.

    `expected` is the hash, in hex, of a head noted earlier: a chain that does not hold it has lost its end.
    """
    wanted = expected_hash(expected) if expected else None
    head, expected_at = BEGINNING, None
    for row in rows:
        fault = _fault(head, row)
        if fault is not None:
            return Verification(head.seq, head, fault, expected_at)
        head = Head(row.seq, row.hash)
        if row.hash == wanted:
            expected_at = row.seq
    if wanted is not None and expected_at is None and wanted != BEGINNING.hash:
        reason = f"row {head.seq} is the last, and no row has the expected hash {expected}: the end was cut off"
        return Verification(head.seq, head, Fault(head.seq + 1, reason))
    return Verification(head.seq, head, None, expected_at)


def expected_hash(text: str) -> bytes:
    """Read a hash in hex; `HashError` where it is none."""
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != HASH_BYTES:
        raise HashError(text)
    return digest


class HashError(StorageError):
    """A text that is no hash."""

    code = "bad_input"
    status = 422
    exit_code = 2

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no hash. Give the {2 * HASH_BYTES} hex digits that `nt-ray journal head` prints."
        )


def _fault(head: Head, row: Row) -> Fault | None:
    seq = head.seq + 1
    if row.seq != seq:
        return Fault(seq, f"row {seq} is missing; row {row.seq} comes in its place")
    if row.hash != link(head.hash, seq, row.epoch, row.written):
        return Fault(seq, f"row {seq} does not follow from the rows before it: it was changed or moved")
    return None
