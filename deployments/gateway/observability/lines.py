"""Pages of the log, whichever replica answers: each keeps its own lines, and a cursor says how far each was read.

Who asks again and again with the cursor of the page before hears every line that is still kept once, whichever replicas
answer him; none has to know another.
"""

import json
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from actors.logs import LogTail
from deployments.gateway.platform.paging import CursorError, cursor_of, name_at

LISTING: Final = "logs"
LONGEST: Final = 4096
"""Letters of a cursor."""
SOURCES: Final = 100
"""Sources that a cursor remembers, those heard of last; lines of an older one would come again."""


class LogLine(BaseModel):
    """A line of the log, as JSON text."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(description="Counts up from 1 in each source: what is left out is kept no more.")
    text: str


class Logs(BaseModel):
    """Lines of the replica that answered, oldest first."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(description="Whose lines they are: a name of the replica's log.")
    lines: list[LogLine]
    next: str = Field(description="Cursor of what comes after, in this replica and in all others that it knows of.")


def page(tail: LogTail, cursor: str | None, limit: int) -> Logs:
    """Read the lines behind a cursor; the newest of a replica that it does not know."""
    read = _read(cursor)
    before = read.pop(tail.source, None)
    found = tail.newest(limit) if before is None else tail.after(before, limit)
    # Last, so that it is forgotten last.
    read[tail.source] = found[-1].number if found else before or 0
    kept = dict(list(read.items())[-SOURCES:])
    lines = [LogLine(number=line.number, text=line.text) for line in found]
    return Logs(source=tail.source, lines=lines, next=cursor_of(LISTING, json.dumps(kept, separators=(",", ":"))))


def _read(cursor: str | None) -> dict[str, int]:
    text = name_at(LISTING, cursor)
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise CursorError from None
    if not isinstance(found, dict) or not all(type(number) is int and number >= 0 for number in found.values()):
        raise CursorError
    return found
