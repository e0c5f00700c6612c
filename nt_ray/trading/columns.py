"""State as JSON, by columns, exactly: what `pack` writes, `unpack` gives back equal, digit by digit.

Values of one type are written together, those of a class field by field, so a hundred thousand orders cost a few long
lists and no name is written twice. Decimals travel as strings and times as ISO 8601 in UTC. Only the classes that the
caller names are written or made, and none of their code runs, constructors included: who reads checks that the text is
what was written.

A column is a list of values of any of these types: None, bool, int, float, str, Decimal, datetime (UTC), date,
timedelta, members of enumerations, tuples, lists, sets, frozensets, deques, dicts, Counters, and objects of the named
classes.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import lru_cache
from itertools import accumulate, chain, pairwise, repeat
from operator import attrgetter
from types import MemberDescriptorType
from typing import Any, Final, TypeAlias

from nt_ray.errors import TradingError

Classes: TypeAlias = Mapping[str, type]
"""Classes that may occur, by name."""


class ColumnError(TradingError):
    """State that cannot be written down or read back."""


def pack(values: Sequence[Any], classes: Classes) -> dict[str, Any]:
    """Write a column down; `ColumnError` where it holds what is not known."""
    kinds = list(map(type, values))
    distinct = list(dict.fromkeys(kinds))
    if len(distinct) != 1:
        parts = [[v for v, kind in zip(values, kinds, strict=True) if kind is one] for one in distinct]
        place = {kind: i for i, kind in enumerate(distinct)}
        return {"t": "mixed", "w": [place[kind] for kind in kinds], "v": [pack(part, classes) for part in parts]}
    kind = distinct[0]
    if kind in _PLAIN:
        name, write, _ = _PLAIN[kind]
        return _brief({"t": name}, list(map(write, values)) if write is not None else list(values))
    if kind in _NAMES:
        lengths = list(map(len, values))
        if issubclass(kind, dict):
            keys = pack(list(chain.from_iterable(values)), classes)
            items = pack(list(chain.from_iterable(v.values() for v in values)), classes)
            return {"t": _NAMES[kind], "n": lengths, "k": keys, "v": items}
        ordered = map(sorted, values) if issubclass(kind, set | frozenset) else values
        written = {"t": _NAMES[kind], "n": lengths, "v": pack(list(chain.from_iterable(ordered)), classes)}
        return written | {"m": [v.maxlen for v in values]} if kind is deque else written
    name = kind.__name__
    if classes.get(name) is not kind:
        raise ColumnError(f"State holds a {name}, which cannot be written down. Name its class.")
    if issubclass(kind, Enum):
        return _brief({"t": "enum", "c": name}, [value.value for value in values])
    columns = {field: pack(list(map(attrgetter(field), values)), classes) for field in _fields(kind, values[0])}
    return {"t": "object", "c": name, "n": len(values), "f": columns}


def frozen(value: Any) -> Any:
    """Copy state that `pack` can write, as far as it can change: what is done to the original leaves the copy alone."""
    kind: Any = type(value)
    if issubclass(kind, dict):
        copy = value.copy()
        if not _are_fixed(value.values()):
            copy.update((key, frozen(item)) for key, item in value.items())
        return copy
    if issubclass(kind, list | deque):
        return value.copy() if _are_fixed(value) else kind(map(frozen, value))
    if issubclass(kind, set):
        return value.copy()
    if _is_fixed(kind):
        return value
    copy = object.__new__(kind)
    for field in _fields(kind, value):
        object.__setattr__(copy, field, frozen(getattr(value, field)))
    return copy


def _are_fixed(values: Iterable[Any]) -> bool:
    kinds: set[Any] = set(map(type, values))
    return all(map(_is_fixed, kinds))


@lru_cache
def _is_fixed(kind: Any) -> bool:
    """Whether values of a type never change."""
    if is_dataclass(kind):
        return bool(getattr(kind, "__dataclass_params__").frozen)  # noqa: B009  it is on every dataclass and in no stub
    return kind in _PLAIN or issubclass(kind, Enum | tuple | frozenset)


def _brief(column: dict[str, Any], texts: list[Any]) -> dict[str, Any]:
    """A column of one text over and over is the text and a number."""
    first = texts[0]
    if len(texts) > 1 and texts.count(first) == len(texts):
        return {"t": "same", "n": len(texts), "v": column | {"v": [first]}}
    return column | {"v": texts}


def unpack(column: Mapping[str, Any], classes: Classes) -> list[Any]:
    """Read a column back; `ColumnError` where the text is not one."""
    try:
        return _unpack(column, classes)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, InvalidOperation, StopIteration) as error:
        raise ColumnError(f"State cannot be read: {error!r}. Leave the snapshot out and replay the events.") from error


def _unpack(column: Mapping[str, Any], classes: Classes) -> list[Any]:
    name = column["t"]
    if name in _READERS:
        read = _READERS[name]
        return list(column["v"]) if read is None else _map(read, column["v"])
    if name == "same":
        return _unpack(column["v"], classes) * int(column["n"])
    if name == "mixed":
        parts = [iter(_unpack(part, classes)) for part in column["v"]]
        return [next(parts[i]) for i in column["w"]]
    if name == "enum":
        return _map(classes[column["c"]], column["v"])
    if name == "object":
        return _objects(classes[column["c"]], column, classes)
    make = _CONTAINERS[name]
    items = _unpack(column["v"], classes)
    if "k" in column:
        items = list(zip(_unpack(column["k"], classes), items, strict=True))
    ends = list(accumulate(column["n"], initial=0))
    if ends[-1] != len(items):
        raise ValueError(f"{len(items)} items of {ends[-1]}")
    pieces = (items[first:last] for first, last in pairwise(ends))
    if name == "deque":
        return list(map(deque, pieces, column["m"]))
    return list(map(make, pieces))


def _map(read: Callable[[Any], Any], texts: Sequence[Any]) -> list[Any]:
    """Read each text; equal ones once."""
    known = {text: read(text) for text in set(texts)}
    return list(map(known.__getitem__, texts))


def _objects(kind: type, column: Mapping[str, Any], classes: Classes) -> list[Any]:
    columns = {field: _unpack(values, classes) for field, values in column["f"].items()}
    count = int(column["n"])
    names = _fixed(kind)
    if names is not None and columns.keys() != set(names):
        raise ValueError(f"fields of {kind.__name__} are {sorted(columns)}")
    if issubclass(kind, tuple):
        return list(map(kind, *(columns[name] for name in names or ())))
    made: list[Any] = list(map(object.__new__, repeat(kind, count)))
    for field, values in columns.items():
        if len(values) != count:
            raise ValueError(f"{len(values)} values of {count}")
        slot = getattr(kind, field, None)
        # A slot is set by its descriptor, which asks no class whether it is frozen.
        if isinstance(slot, MemberDescriptorType):
            deque(map(slot.__set__, made, values), 0)
        else:
            for one, value in zip(made, values, strict=True):
                vars(one)[field] = value
    return made


def _fields(kind: type, one: object) -> Sequence[str]:
    names = _fixed(kind)
    return tuple(vars(one)) if names is None else names


@lru_cache
def _fixed(kind: Any) -> tuple[str, ...] | None:
    """Attributes that every object of a class has, in order; None where each has its own."""
    if is_dataclass(kind):
        return tuple(field.name for field in fields(kind))
    named: Sequence[str] | None = getattr(kind, "_fields", getattr(kind, "__slots__", None))
    return None if named is None else tuple(named)


def _write_time(time: datetime) -> str:
    if time.utcoffset() != timedelta(0):
        raise ColumnError(f"State holds the time {time}. Give times in UTC.")
    return time.isoformat()


def _write_span(span: timedelta) -> str:
    return f"{span.days} {span.seconds} {span.microseconds}"


def _read_span(text: str) -> timedelta:
    days, seconds, microseconds = map(int, text.split())
    return timedelta(days, seconds, microseconds)


_PLAIN: Final[dict[type, tuple[str, Callable[[Any], Any] | None, Callable[[Any], Any] | None]]] = {
    type(None): ("none", None, None),
    bool: ("bool", None, None),
    int: ("int", None, None),
    str: ("str", None, None),
    float: ("float", float.hex, float.fromhex),
    Decimal: ("decimal", str, Decimal),
    datetime: ("time", _write_time, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    timedelta: ("span", _write_span, _read_span),
}
"""Types of single values: name, how they are written and how they are read (None: as they are)."""

_READERS: Final = {name: read for name, _, read in _PLAIN.values()}

_CONTAINERS: Final[dict[str, Callable[[Iterable[Any]], Any]]] = {
    "tuple": tuple,
    "list": list,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
    "dict": dict,
    "counter": lambda pairs: Counter(dict(pairs)),
}

_NAMES: Final[dict[type, str]] = {
    tuple: "tuple",
    list: "list",
    set: "set",
    frozenset: "frozenset",
    deque: "deque",
    dict: "dict",
    Counter: "counter",
}
