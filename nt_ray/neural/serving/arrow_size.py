"""How much a table in Arrow's IPC format holds once it is unpacked, told before anything of it is.

A body says in the descriptions of its batches how many values each column has, and before each compressed buffer how
many bytes come out of it. Both are the sender's word: readers make room for what they say, so a body of a kilobyte may
ask for gigabytes. Here they are added up alone. What the columns mean is not known here.

Source: Apache Arrow, Columnar Format 1.5, "Serialization and Interprocess Communication"; Flatbuffers, "Internals".
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nt_ray.neural.serving.problems import MalformedRequestError

FILE: Final = b"ARROW1"
_CONTINUES: Final = b"\xff\xff\xff\xff"
_DICTIONARY, _BATCH = 2, 3
_PLAIN: Final = -1
"""Length that stands before a buffer that was left as it is among compressed ones."""
_OFFSET, _LENGTH, _BYTE = "<I", "<q", "<B"


@dataclass(frozen=True, slots=True)
class ArrowSize:
    """Values of all columns, those within lists included, and bytes of all buffers."""

    values: int
    nbytes: int


def arrow_size(body: bytes) -> ArrowSize:
    """Add up what a stream or a file holds; raises `MalformedRequestError` where it cannot be followed."""
    values = nbytes = 0
    try:
        for message, data in _of_file(body) if body.startswith(FILE) else _of_stream(body):
            kind = message.number(1, _BYTE)
            if kind not in (_DICTIONARY, _BATCH):
                continue
            header = message.table(2)
            batch = header if kind == _BATCH else header.table(1)
            nodes, buffers = batch.pairs(1), batch.pairs(2)
            # Each row repeats an entry of a dictionary; of texts alone no copies are made.
            if kind == _DICTIONARY and (len(nodes) > 1 or (len(buffers) < 3 and not batch.has(4))):
                raise MalformedRequestError("The table has a dictionary of other than texts. Send plain columns.")
            values += batch.number(0, _LENGTH) + sum(_checked(length) for length, _ in nodes)
            nbytes += sum(_unpacked(data, *buffer, packed=batch.has(3)) for buffer in buffers)
    except (struct.error, IndexError) as error:
        raise MalformedRequestError("The table is cut off or no Arrow IPC. Send a stream or a file of it.") from error
    return ArrowSize(values, nbytes)


class _Table:
    """A table of a flatbuffer: fields by number, each at an offset from its beginning that a second table tells."""

    def __init__(self, data: memoryview, place: int) -> None:
        self._data = data
        self._place = place
        self._fields = place - _read("<i", data, place)

    @classmethod
    def root(cls, data: memoryview) -> "_Table":
        return cls(data, _read(_OFFSET, data, 0))

    def number(self, field: int, form: str) -> int:
        """A number; 0 where it is left out."""
        place = self._find(field)
        return 0 if place is None else _checked(_read(form, self._data, place))

    def table(self, field: int) -> "_Table":
        return _Table(self._data, self._target(field))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """List of structures of two long numbers."""
        if not self.has(field):
            return []
        place = self._target(field)
        first, count = place + 4, _read(_OFFSET, self._data, place)
        return list(struct.iter_unpack("<qq", _cut(self._data, first, 16 * count)))

    def blocks(self, field: int) -> list[tuple[int, int, int]]:
        """List of places of messages in a file: offset, length of the description, length of the data."""
        if not self.has(field):
            return []
        place = self._target(field)
        first, count = place + 4, _read(_OFFSET, self._data, place)
        return list(struct.iter_unpack("<qi4xq", _cut(self._data, first, 24 * count)))

    def has(self, field: int) -> bool:
        return self._find(field) is not None

    def _find(self, field: int) -> int | None:
        place = 4 + 2 * field
        if place + 2 > _read("<H", self._data, self._fields):
            return None
        offset = _read("<H", self._data, self._fields + place)
        return self._place + offset if offset else None

    def _target(self, field: int) -> int:
        place = self._find(field)
        if place is None:
            raise IndexError(field)
        return place + _read(_OFFSET, self._data, place)


def _of_stream(body: bytes) -> Iterator[tuple[_Table, memoryview]]:
    """Messages and their data, one after the other."""
    data, place = memoryview(body), 0
    while place < len(data):
        message, place = _message(data, place)
        if message is None:
            return
        length = message.number(3, _LENGTH)
        yield message, _cut(data, place, length)
        place += length


def _of_file(body: bytes) -> Iterator[tuple[_Table, memoryview]]:
    """Messages and their data, where the end of a file says they are."""
    data = memoryview(body)
    if not body.endswith(FILE):
        raise IndexError(FILE)
    end = len(data) - len(FILE) - 4
    size = _checked(_read("<i", data, end))
    footer = _Table.root(_cut(data, end - size, size))
    for offset, described, length in [*footer.blocks(2), *footer.blocks(3)]:
        message, _ = _message(data, _checked(offset))
        if message is None:
            raise IndexError(offset)
        yield message, _cut(data, offset + _checked(described), length)


def _message(data: memoryview, place: int) -> tuple[_Table | None, int]:
    """Description at a place, None at the end of a stream; and the place behind it."""
    # Streams of before 2020 have no mark before the length.
    place += 4 if bytes(data[place : place + 4]) == _CONTINUES else 0
    size = _checked(_read("<i", data, place))
    place += 4
    return _Table.root(_cut(data, place, size)) if size else None, place + size


def _unpacked(data: memoryview, offset: int, length: int, *, packed: bool) -> int:
    """Bytes of a buffer once unpacked."""
    buffer = _cut(data, _checked(offset), length)
    if not packed or not length:
        return length
    told = _read(_LENGTH, buffer, 0)
    return length if told == _PLAIN else _checked(told)


def _read(form: str, data: memoryview, place: int) -> int:
    number: int = struct.unpack_from(form, data, _checked(place))[0]
    return number


def _cut(data: memoryview, first: int, length: int) -> memoryview:
    if _checked(first) + _checked(length) > len(data):
        raise IndexError(first)
    return data[first : first + length]


def _checked(number: int) -> int:
    if number < 0:
        raise IndexError(number)
    return number
