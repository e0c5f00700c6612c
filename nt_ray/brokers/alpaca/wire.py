"""Numbers, times and JSON as Alpaca writes them.

Decimals travel as plain strings without an exponent and are read without passing through a float. Times are read to the
microsecond and given in UTC. What cannot be read raises `UnreadableError`.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from nt_ray.brokers.base import AmbiguousError

Json: TypeAlias = dict[str, Any]
"""A JSON object."""


class UnreadableError(AmbiguousError):
    """The venue answered something that cannot be read, so what it did is unknown."""

    code = "unreadable"

    def __init__(self, what: str) -> None:
        super().__init__(f"alpaca: {what} cannot be read. Ask again; the order is looked up by its client id.")


def parse(text: str | bytes) -> Any:
    """Read JSON; numbers with a fraction become decimals."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except ValueError as error:
        raise UnreadableError("an answer that is no JSON") from error


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def plain(value: Decimal) -> str:
    """Write a decimal without exponent."""
    return format(value, "f")


def number(source: Mapping[str, Any], key: str) -> Decimal:
    """Read a number that must be there."""
    value = source.get(key)
    if value is None or isinstance(value, bool | float):
        raise UnreadableError(f"{key} {value!r}")
    try:
        found = Decimal(value)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise UnreadableError(f"{key} {value!r}") from error
    if not found.is_finite():
        raise UnreadableError(f"{key} {value!r}")
    return found


def optional(source: Mapping[str, Any], key: str) -> Decimal | None:
    """Read a number that may be null or absent."""
    return None if source.get(key) in (None, "") else number(source, key)


def word(source: Mapping[str, Any], key: str) -> str:
    """Read a text that must be there."""
    value = source.get(key)
    if not isinstance(value, str) or not value:
        raise UnreadableError(f"{key} {value!r}")
    return value


def moment(source: Mapping[str, Any], key: str) -> datetime:
    """Read a time with its zone; digits past the microsecond are cut off."""
    try:
        found = datetime.fromisoformat(word(source, key))
    except ValueError as error:
        raise UnreadableError(f"{key} {source.get(key)!r}") from error
    if found.tzinfo is None:
        raise UnreadableError(f"{key} {source.get(key)!r} without a zone")
    return found.astimezone(UTC)


def stamp(time: datetime) -> str:
    """Write a time as Alpaca reads it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def mapping(value: Any, what: str) -> Json:
    """Check that an answer is an object."""
    if not isinstance(value, dict):
        raise UnreadableError(f"{what} {str(value)[:80]!r}")
    return value


def listing(value: Any, what: str) -> list[Json]:
    """Check that an answer is a list of objects."""
    if not isinstance(value, list):
        raise UnreadableError(f"{what} {str(value)[:80]!r}")
    return [mapping(item, what) for item in value]
