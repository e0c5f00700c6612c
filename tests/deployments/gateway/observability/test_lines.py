"""Pages of a log that several replicas keep, each for itself."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.logs import LogTail
from deployments.gateway.observability.lines import LISTING, LONGEST, SOURCES, page
from deployments.gateway.platform.paging import CursorError, cursor_of


def say(tail: LogTail, text: str) -> None:
    tail.handle(logging.LogRecord("n", logging.INFO, "p", 1, text, (), None))


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 5)), max_size=40)


@given(STEPS, st.integers(1, 4))
def test_whoever_reads_on_hears_each_line_once_whichever_replica_answers(
    steps: list[tuple[bool, int, int]], limit: int
) -> None:
    tails = [LogTail(1000) for _ in range(3)]
    said: list[list[str]] = [[], [], []]
    heard: dict[str, list[str]] = {tail.source: [] for tail in tails}
    # Before any line there is none that is left out as older than the newest.
    cursor = None
    for tail in tails:
        cursor = page(tail, cursor, limit).next
    for reads, which, count in [*steps, *((True, which, 0) for which in range(3) for _ in range(200))]:
        if reads:
            found = page(tails[which], cursor, limit)
            heard[found.source] += [line.text for line in found.lines]
            cursor = found.next
        else:
            for _ in range(count):
                said[which].append(f"{which}-{len(said[which])}")
                say(tails[which], said[which][-1])
    assert [heard[tail.source] for tail in tails] == said


def test_a_replica_that_starts_anew_is_heard_from_its_beginning() -> None:
    old, new = LogTail(10), LogTail(10)
    for number in range(5):
        say(old, f"old-{number}")
    cursor = page(old, None, 10).next
    say(new, "new-0")
    assert [line.text for line in page(new, cursor, 10).lines] == ["new-0"]


def test_a_cursor_stays_short_whatever_has_answered() -> None:
    cursor = None
    for _ in range(3 * SOURCES):
        cursor = page(LogTail(1), cursor, 1).next
    assert cursor is not None
    assert len(cursor) < LONGEST


@pytest.mark.parametrize("place", ["[]", "{", '{"a":-1}', '{"a":"1"}', '{"a":true}', json.dumps("x")])
def test_a_cursor_that_was_made_up_is_refused(place: str) -> None:
    with pytest.raises(CursorError):
        page(LogTail(1), cursor_of(LISTING, place), 1)
