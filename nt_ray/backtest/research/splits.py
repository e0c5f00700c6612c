"""Train and test rows of time series, as index arrays.

Every split keeps these invariants: train and test are increasing, inside 0..rows-1 and disjoint; no train row
lies within `purge` rows before or after a run of test rows; none lies within a further `embargo` rows after one.
Purging is for labels and positions that reach across the border, the embargo for memory that does after it.
Walk-forward splits train on the past alone. Knows rows, and nothing of bars or strategies.

Source: López de Prado (2018), Advances in Financial Machine Learning, chapters 7 and 12.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.types import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows to fit on and rows to judge on."""

    train: IntArray
    test: IntArray
    groups: tuple[int, ...] = ()
    """Numbers of the test groups, for k-fold and combinatorial splits."""


def walk_forward_splits(
    rows: int,
    train: int,
    test: int,
    *,
    step: int | None = None,
    anchored: bool = False,
    purge: int = 0,
    embargo: int = 0,
) -> Iterator[Split]:
    """Windows that move forward: fit on the past, judge on what follows.

    Parameters
    ----------
    rows
        Rows there are. The last test window may be shorter than `test`, never the train window.
    train, test
        Rows of the train window (its least, where anchored) and of the test window.
    step
        Rows from one test window to the next, `test` where None, and never more, so that no row is left out.
    anchored
        The train window starts at row 0 and grows; otherwise it rolls.
    purge, embargo
        Rows between train and test; walking forward they only add up.
    """
    step = test if step is None else step
    _positive(train=train, test=test, step=step)
    _not_negative(purge=purge, embargo=embargo)
    if step > test:
        raise ResearchError(f"step={step} leaves rows untested between windows of {test}. Use at most {test}.")
    gap = purge + embargo
    if rows <= train + gap:
        raise ResearchError(
            f"{rows} rows are too few for {train} train rows and a gap of {gap}. "
            "Use a shorter train window or more data."
        )
    for first in range(train + gap, rows, step):
        start = 0 if anchored else first - gap - train
        yield Split(_rows(start, first - gap), _rows(first, min(first + test, rows)))


def purged_kfold(rows: int, folds: int, *, purge: int = 0, embargo: int = 0) -> Iterator[Split]:
    """Each of `folds` equal stretches in turn is the test; the train is the rest, less purge and embargo."""
    yield from combinatorial_splits(rows, folds, 1, purge=purge, embargo=embargo)


def combinatorial_splits(
    rows: int, groups: int, test_groups: int, *, purge: int = 0, embargo: int = 0
) -> Iterator[Split]:
    """Every choice of `test_groups` out of `groups` equal stretches is the test once.

    Splits come in lexicographic order of their groups. See `path_count` and `paths` for the histories that
    the tests make together.
    """
    _positive(test_groups=test_groups)
    _not_negative(purge=purge, embargo=embargo)
    if groups < 2 or groups > rows or test_groups >= groups:
        raise ResearchError(
            f"{test_groups} of {groups} groups cannot be tested on {rows} rows. "
            "Use at least 2 groups, no more than rows, and fewer test groups than groups."
        )
    bounds = group_bounds(rows, groups)
    for chosen in combinations(range(groups), test_groups):
        banned = np.zeros(rows, dtype=np.bool_)
        tested = np.zeros(rows, dtype=np.bool_)
        for g in chosen:
            first, after = int(bounds[g]), int(bounds[g + 1])
            tested[first:after] = True
            banned[max(first - purge, 0) : min(after + purge + embargo, rows)] = True
        train = np.flatnonzero(~banned).astype(np.int64)
        if len(train) == 0:
            raise ResearchError(
                f"purge={purge} and embargo={embargo} leave no train row beside test groups {chosen}. Use smaller ones."
            )
        yield Split(train, np.flatnonzero(tested).astype(np.int64), chosen)


def group_bounds(rows: int, groups: int) -> IntArray:
    """First row of each group and one past the last, shape (groups + 1,); sizes differ by one at most."""
    return np.array([rows * g // groups for g in range(groups + 1)], dtype=np.int64)


def path_count(groups: int, test_groups: int) -> int:
    """Whole histories that combinatorial tests make: C(groups, test_groups) * test_groups / groups."""
    return comb(groups, test_groups) * test_groups // groups


def paths(groups: int, test_groups: int) -> IntArray:
    """Which split tests each group in each path, shape (path_count, groups), by number of the split.

    Each pair of a split and one of its test groups stands in exactly one path.
    """
    table = np.empty((path_count(groups, test_groups), groups), dtype=np.int64)
    used = [0] * groups
    for number, chosen in enumerate(combinations(range(groups), test_groups)):
        for g in chosen:
            table[used[g], g] = number
            used[g] += 1
    return table


def _rows(first: int, after: int) -> IntArray:
    return np.arange(first, after, dtype=np.int64)


def _positive(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ResearchError(f"{name}={count} is not positive. Use at least 1.")


def _not_negative(**counts: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise ResearchError(f"{name}={count} is negative. Use 0 or more.")
