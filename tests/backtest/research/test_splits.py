from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.splits import (
    Split,
    combinatorial_splits,
    group_bounds,
    path_count,
    paths,
    purged_kfold,
    walk_forward_splits,
)


def check(split: Split, rows: int, purge: int, embargo: int) -> None:
    train, test = split.train.tolist(), split.test.tolist()
    assert train == sorted(set(train))
    assert test == sorted(set(test))
    assert train
    assert test
    assert min(train + test) >= 0
    assert max(train + test) < rows
    forbidden = set(test)
    for t in test:
        forbidden.update(range(t - purge, t + purge + 1))
    ends = [t for t in test if t + 1 not in set(test)]
    for t in ends:
        forbidden.update(range(t + 1, t + purge + embargo + 1))
    assert not forbidden & set(train)


@given(
    rows=st.integers(2, 120),
    train=st.integers(1, 60),
    test=st.integers(1, 40),
    part=st.floats(0.01, 1.0),
    anchored=st.booleans(),
    purge=st.integers(0, 6),
    embargo=st.integers(0, 6),
)
def test_walking_forward_never_trains_on_or_near_a_test_row(
    rows: int, train: int, test: int, part: float, anchored: bool, purge: int, embargo: int
) -> None:
    step = max(int(test * part), 1)
    make = lambda: walk_forward_splits(  # noqa: E731
        rows, train, test, step=step, anchored=anchored, purge=purge, embargo=embargo
    )
    if rows <= train + purge + embargo:
        with pytest.raises(ResearchError, match="too few"):
            list(make())
        return
    splits = list(make())
    for s in splits:
        check(s, rows, purge, embargo)
        assert s.train[-1] + purge + embargo + 1 == s.test[0]
        assert len(s.train) >= train if anchored else len(s.train) == train
        assert s.train[0] == 0 or not anchored
        assert np.all(np.diff(s.train) == 1)
    tested = np.unique(np.concatenate([s.test for s in splits]))
    assert tested.tolist() == list(range(train + purge + embargo, rows))


@given(
    data=st.data(),
    rows=st.integers(8, 90),
    groups=st.integers(2, 7),
    purge=st.integers(0, 3),
    embargo=st.integers(0, 3),
)
def test_combinatorial_splits_keep_purge_and_embargo_and_lose_no_other_row(
    data: st.DataObject, rows: int, groups: int, purge: int, embargo: int
) -> None:
    tests = data.draw(st.integers(1, groups - 1))
    bounds = group_bounds(rows, groups)
    kept = {
        chosen: set(range(rows))
        - {t for g in chosen for t in range(bounds[g] - purge, bounds[g + 1] + purge + embargo)}
        for chosen in combinations(range(groups), tests)
    }
    if not all(kept.values()):
        with pytest.raises(ResearchError, match="leave no train row"):
            list(combinatorial_splits(rows, groups, tests, purge=purge, embargo=embargo))
        return
    splits = list(combinatorial_splits(rows, groups, tests, purge=purge, embargo=embargo))
    assert [s.groups for s in splits] == list(combinations(range(groups), tests))
    for s in splits:
        check(s, rows, purge, embargo)
        expected = [t for g in s.groups for t in range(bounds[g], bounds[g + 1])]
        assert s.test.tolist() == sorted(expected)
        assert set(s.train.tolist()) == kept[s.groups]


def test_five_folds_test_every_row_once() -> None:
    splits = list(purged_kfold(103, 5, purge=2, embargo=3))
    assert np.concatenate([s.test for s in splits]).tolist() == list(range(103))
    assert {len(s.test) for s in splits} == {20, 21}
    middle = splits[2]
    assert middle.test[0] - middle.train[middle.train < middle.test[0]].max() == 3
    assert middle.train[middle.train > middle.test[-1]].min() - middle.test[-1] == 6


@given(groups=st.integers(2, 9), data=st.data())
def test_paths_use_every_tested_group_of_every_split_exactly_once(groups: int, data: st.DataObject) -> None:
    tests = data.draw(st.integers(1, groups - 1))
    table = paths(groups, tests)
    splits = list(combinations(range(groups), tests))
    assert table.shape == (path_count(groups, tests), groups)
    used = sorted((int(table[p, g]), g) for p in range(len(table)) for g in range(groups))
    assert used == sorted((n, g) for n, chosen in enumerate(splits) for g in chosen)


def test_six_groups_two_at_a_time_make_the_five_paths_of_the_book() -> None:
    assert comb(6, 2) == 15
    assert path_count(6, 2) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 0, "test": 5}, "train=0"),
        ({"train": 5, "test": 5, "step": 6}, "leaves rows untested"),
        ({"train": 5, "test": 5, "purge": -1}, "purge=-1"),
    ],
)
def test_windows_that_make_no_sense_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ResearchError, match=message):
        list(walk_forward_splits(100, **arguments))


def test_groups_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ResearchError, match="fewer test groups"):
        list(combinatorial_splits(100, 5, 5))
    with pytest.raises(ResearchError, match="leave no train row"):
        list(combinatorial_splits(10, 2, 1, purge=5))
