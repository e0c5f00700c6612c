"""Pages of any listing are its rows, each once, and a cursor is good for its own listing alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.gateway.platform.paging import CursorError, cursor_of, page_of

NAMES = st.lists(st.text(max_size=8), unique=True, max_size=20)


@given(NAMES, st.integers(1, 6))
def test_pages_together_are_all_rows_by_name(names: list[str], limit: int) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(len(names) + 1):
        page, cursor = page_of("names", names, str, cursor, limit)
        assert len(page) <= limit
        seen += page
        if cursor is None:
            break
    assert seen == sorted(names)


@given(NAMES, st.integers(1, 6), st.sets(st.integers(0, 19)))
def test_a_row_that_goes_between_two_pages_takes_no_other_with_it(names: list[str], limit: int, gone: set[int]) -> None:
    page, cursor = page_of("names", names, str, None, limit)
    left = [name for place, name in enumerate(names) if place not in gone]
    rest = [] if cursor is None else page_of("names", left, str, cursor, 500)[0]
    assert rest == sorted(name for name in left if page and name > page[-1] and cursor is not None)


def test_a_cursor_of_another_listing_is_refused() -> None:
    with pytest.raises(CursorError):
        page_of("names", ["a"], str, cursor_of("others", "a"), 1)
