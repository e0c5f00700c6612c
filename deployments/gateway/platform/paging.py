"""Cursors: where a listing goes on. To a caller a cursor is a word without meaning; one that was made up is refused."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Annotated, Final, TypeAlias, TypeVar

from fastapi import Query
from pydantic import Field

from deployments.gateway.problems import GatewayError

LONGEST: Final = 400
T = TypeVar("T")

Page: TypeAlias = tuple[list[T], str | None]
Next: TypeAlias = Annotated[str | None, Field(description="Cursor of the next page; null on the last.")]

Limit: TypeAlias = Annotated[int, Query(ge=1, le=500, description="Most rows of one page.")]
Cursor: TypeAlias = Annotated[
    str | None, Query(max_length=LONGEST, description="`next` of the page before; none for the first page.")
]


class CursorError(GatewayError):
    """A cursor that no page gave."""

    code = "cursor"
    status = 422

    def __init__(self) -> None:
        super().__init__("The cursor is none that this listing gave. Take `next` of its last page, or begin anew.")


def cursor_of(listing: str, place: str | int) -> str:
    """Write the cursor of a place in a listing."""
    text = json.dumps([listing, place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def page_of(listing: str, found: Iterable[T], name: Callable[[T], str], cursor: str | None, limit: int) -> Page[T]:
    """Take the rows behind a cursor, by their names, and the cursor of those that are left."""
    after = name_at(listing, cursor)
    rows = sorted((row for row in found if after is None or name(row) > after), key=name)
    return rows[:limit], cursor_of(listing, name(rows[limit - 1])) if len(rows) > limit else None


def number_at(listing: str, cursor: str | None) -> int | None:
    """Read the number that a cursor stands for; None without one."""
    place = _read(listing, cursor)
    if place is not None and (isinstance(place, str) or not 0 <= place < 2**63):
        raise CursorError
    return place


def name_at(listing: str, cursor: str | None) -> str | None:
    """Read the name that a cursor stands for; None without one."""
    place = _read(listing, cursor)
    if isinstance(place, int):
        raise CursorError
    return place


def _read(listing: str, cursor: str | None) -> str | int | None:
    if cursor is None:
        return None
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise CursorError from None
    match found:
        case [str(of), str() | int() as place] if of == listing and not isinstance(place, bool):
            return place
    raise CursorError
