import json
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.trading.columns import ColumnError, pack, unpack


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Leaf:
    colour: Colour
    size: Decimal | None = None


class Pair(NamedTuple):
    first: int
    second: Any


class Tree:
    __slots__ = ("leaves", "name")

    def __init__(self, name: str, leaves: dict[str, Leaf]) -> None:
        self.name, self.leaves = name, leaves

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and (self.name, self.leaves) == (other.name, other.leaves)

    __hash__ = None  # type: ignore[assignment]


class Open:
    def __init__(self) -> None:
        self.anything = 1


CLASSES = {c.__name__: c for c in (Colour, Leaf, Pair, Tree)}

LEAVES = st.builds(Leaf, st.sampled_from(Colour), st.none() | st.decimals(allow_nan=False))
TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(fold=0))
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False),
    TIMES,
    st.dates(),
    st.timedeltas(),
    st.sampled_from(Colour),
    LEAVES,
    st.builds(Pair, st.integers(), st.text()),
    st.builds(Tree, st.text(), st.dictionaries(st.text(), LEAVES, max_size=3)),
    st.frozensets(st.text(), max_size=3),
    st.sets(st.integers(), max_size=3),
    st.lists(st.integers(), max_size=4).map(lambda numbers: deque(numbers, 7)),
    st.dictionaries(st.text(), st.integers(), max_size=3).map(Counter),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def digits(value: Any) -> Any:
    """Text that differs where Decimals are equal and their digits are not."""
    if isinstance(value, dict):
        return [(repr(key), digits(item)) for key, item in value.items()]
    if isinstance(value, Tree):
        return value.name, digits(value.leaves)
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    return list(map(digits, value)) if isinstance(value, (list, tuple, deque)) else repr(value)


@given(st.lists(VALUES, max_size=6))
def test_every_value_comes_back_equal_digit_by_digit_and_of_the_same_type(values: list[Any]) -> None:
    back = unpack(json.loads(json.dumps(pack(values, CLASSES))), CLASSES)
    assert back == values
    assert list(map(type, back)) == list(map(type, values))
    assert digits(back) == digits(values)


def test_digits_types_and_lengths_are_kept() -> None:
    values = [Decimal("1.0"), Decimal("1.00"), True, 1, 1.0, "1", date(2026, 1, 2), timedelta(-1, 3, 5)]
    back = unpack(pack(values, CLASSES), CLASSES)
    assert list(map(repr, back)) == list(map(repr, values))
    assert unpack(pack([deque([1], 3)], CLASSES), CLASSES)[0].maxlen == 3


@pytest.mark.parametrize("value", [Open(), object(), lambda: None, b"bytes", [Open()], {"key": {Open(): 1}}])
def test_what_is_not_named_is_not_written(value: object) -> None:
    with pytest.raises(ColumnError, match="cannot be written down"):
        pack([value], CLASSES)


def test_a_time_that_is_not_utc_is_not_written() -> None:
    with pytest.raises(ColumnError, match="UTC"):
        pack([datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1)))], CLASSES)


@pytest.mark.parametrize(
    "column",
    [
        {},
        {"t": "surprise", "v": []},
        {"t": "decimal", "v": ["one"]},
        {"t": "time", "v": ["yesterday"]},
        {"t": "enum", "c": "Colour", "v": ["green"]},
        {"t": "enum", "c": "Popen", "v": ["ls"]},
        {"t": "object", "c": "Open", "n": 1, "f": {}},
        {"t": "object", "c": "Leaf", "n": 1, "f": {}},
        {"t": "object", "c": "Tree", "n": 1, "f": {"height": {"t": "int", "v": [1]}}},
        {"t": "mixed", "w": [0, 0], "v": [{"t": "int", "v": [1]}]},
        {"t": "dict", "n": [1], "k": {"t": "str", "v": ["a"]}, "v": {"t": "int", "v": []}},
        [],
    ],
)
def test_text_that_is_no_column_is_refused(column: Any) -> None:
    with pytest.raises(ColumnError, match="cannot be read"):
        unpack(column, CLASSES)
