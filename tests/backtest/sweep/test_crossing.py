import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.backtest.sweep.crossing import SENTINEL, prefix_sums, trace
from nt_ray.backtest.sweep.stretch import turn


def votes_of(closes: np.ndarray, fast: int, slow: int) -> tuple[list[int], np.ndarray]:
    """Votes of a symbol in steps of 0.5, and the words they lie in, which held something else before."""
    sums, counts = prefix_sums(closes[None, :, None])
    words = np.full((len(closes) >> 3) + 1, 0x0707070707070707, dtype=np.uint64)
    votes = words.view(np.int8)
    trace(sums[0], counts[0], fast, slow, votes)
    assert votes[len(closes)] == SENTINEL
    return votes[: len(closes)].tolist(), words


def expected(closes: np.ndarray, fast: int, slow: int) -> list[int]:
    """The rule, with means of whole half-units as fractions of a common denominator."""
    known: list[int] = []
    found, last = [], 0
    for close in closes:
        if np.isfinite(close):
            known.append(round(close * 2))
        if len(known) >= slow:
            lead = sum(known[-fast:]) * slow - sum(known[-slow:]) * fast
            last = (lead > 0) - (lead < 0) or last
        found.append(last)
    return found


@settings(max_examples=200)
@given(
    halves=st.lists(st.integers(1, 4) | st.none(), min_size=2, max_size=70),
    fast=st.integers(1, 5),
    more=st.integers(1, 30),
    flat=st.booleans(),
)
def test_votes_are_those_of_exact_means_with_ties_and_missing_bars(
    halves: list[int | None], fast: int, more: int, flat: bool
) -> None:
    closes = np.array([np.nan if h is None else h / 2 for h in halves])
    if flat:
        closes[len(closes) // 3 :] = closes[len(closes) // 3]
    wanted = expected(closes, fast, fast + more)
    votes, words = votes_of(closes, fast, fast + more)
    assert votes == wanted
    for row in range(len(wanted)):
        other = next((t for t in range(row, len(wanted)) if wanted[t] != wanted[row]), len(wanted))
        assert turn(words, row) == other


@pytest.mark.parametrize("bars", [7, 8, 9, 63, 64, 65])
def test_a_stretch_that_never_turns_ends_with_the_tape(bars: int) -> None:
    votes, words = votes_of(np.arange(1.0, bars + 1.0), 1, 2)
    assert votes == [0] + [1] * (bars - 1)
    assert turn(words, 0) == 1
    assert {turn(words, row) for row in range(1, bars)} == {bars}
