import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.backtest.sweep.space import Grid, Random, SweepError, refusal
from nt_ray.errors import StrategyError
from nt_ray.strategies.registry import find

MOMENTUM, CROSS = find("momentum"), find("sma_cross")


def test_a_grid_is_the_product_of_its_values_whatever_the_chunks() -> None:
    grid = Grid({"lookback": [10, 20, 30], "entry": [0.5, 1.0]})
    rows = grid.rows(MOMENTUM, 0, grid.size(MOMENTUM))
    expected = [MOMENTUM.vector({"lookback": a, "entry": b}) for a, b in itertools.product([10, 20, 30], [0.5, 1.0])]
    assert rows.tolist() == np.array(expected).tolist()
    parts = [grid.rows(MOMENTUM, a, b) for a, b in ((0, 1), (1, 4), (4, 6))]
    assert np.concatenate(parts).tolist() == rows.tolist()


def test_texts_become_values_with_both_ends() -> None:
    assert Grid.parse(["lookback=10:30:5", "entry=0.5,1:2:0.5"]).values == {
        "lookback": (10.0, 15.0, 20.0, 25.0, 30.0),
        "entry": (0.5, 1.0, 1.5, 2.0),
    }
    assert Grid.parse(["entry=0:1:0.1"]).values["entry"] == tuple(i / 10 for i in range(11))
    assert Grid.parse(["skip=3:5"]).values["skip"] == (3.0, 4.0, 5.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lookback", "has no NAME=VALUES form"),
        ("=1", "has no NAME=VALUES form"),
        ("lookback=", "has no NAME=VALUES form"),
        ("lookback=a", "'a' is no number"),
        ("lookback=9:1:1", "'9:1:1' is no range"),
        ("lookback=1:9:0", "'1:9:0' is no range"),
        ("lookback=1:9:1:1", "'1:9:1:1' is no range"),
        ("lookback=1:inf:1", "'inf' is no number"),
        ("lookback=nan", "'nan' is no number"),
        ("lookback=0:1:0.0000001", "has 10,000,001 values"),
        ("lookback=1,1", "has the value 1 twice"),
    ],
)
def test_a_text_that_is_no_space_is_refused(text: str, says: str) -> None:
    with pytest.raises(StrategyError, match=re.escape(says)):
        Grid.parse([text])


def test_empty_and_degenerate_spaces_are_refused() -> None:
    with pytest.raises(SweepError, match="names no parameter"):
        Grid({})
    with pytest.raises(SweepError, match="'entry' has no values"):
        Grid({"entry": []})
    with pytest.raises(StrategyError, match="given twice"):
        Grid.parse(["entry=1", "entry=2"])
    for count in (0, -3, 10**7):
        with pytest.raises(SweepError, match="random draws"):
            Random(count, 1)
    with pytest.raises(SweepError, match="negative"):
        Random(1, -1)


def test_names_and_ranges_are_checked_against_the_strategy() -> None:
    with pytest.raises(SweepError, match="has no parameter 'speed'"):
        Grid({"speed": [1]}).size(MOMENTUM)
    with pytest.raises(StrategyError, match="lookback=99999 is out of range"):
        Grid({"lookback": [10, 99999]}).size(MOMENTUM)
    with pytest.raises(StrategyError, match="whole number"):
        Grid({"lookback": [10.5]}).size(MOMENTUM)
    with pytest.raises(SweepError, match="has no parameter 'speed'"):
        Random(3, 1, names=("speed",)).size(MOMENTUM)


@given(count=st.integers(1, 60), seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 60))
def test_draws_are_the_same_for_any_chunks_and_never_repeat_a_grid_point(count: int, seed: int, cut: int) -> None:
    grid = Grid({"fast": range(2, 8), "slow": range(10, 17)})
    space = Random(count, seed, grid)
    size = space.size(CROSS)
    assert size == min(count, 42)
    rows = space.rows(CROSS, 0, size)
    cut = min(cut, size)
    assert np.concatenate([space.rows(CROSS, 0, cut), space.rows(CROSS, cut, size)]).tolist() == rows.tolist()
    assert len({tuple(r) for r in rows.tolist()}) == size
    assert {tuple(r) for r in rows.tolist()} <= {tuple(r) for r in grid.rows(CROSS, 0, 42).tolist()}


def test_draws_over_ranges_are_in_range_and_make_sense_together() -> None:
    rows = Random(300, 5).rows(CROSS, 0, 300)
    assert all(refusal(CROSS, row) is None for row in rows)
    for row in rows:
        CROSS.vector(dict(zip(["fast", "slow", "short"], row.tolist(), strict=True)))
    assert len({tuple(r) for r in rows.tolist()}) > 290
    only = Random(50, 5, names=("entry",)).rows(MOMENTUM, 0, 50)
    assert set(only[:, 0]) == {120.0}
    assert len(set(only[:, 2])) == 50


def test_a_refusal_is_the_strategys_own_sentence() -> None:
    assert "fast=9 is not below slow=5" in str(refusal(CROSS, np.array([9.0, 5.0, 0.0])))
    assert refusal(CROSS, np.array([3.0, 5.0, 0.0])) is None
