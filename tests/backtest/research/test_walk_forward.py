import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from nt_ray.backtest.metrics import measure
from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.schedule import Stretch
from nt_ray.backtest.research.splits import Split, purged_kfold, walk_forward_splits
from nt_ray.backtest.research.study import Fit, InThreads, Study, in_process
from nt_ray.backtest.research.walk_forward import WalkForward, walk, walk_forward
from nt_ray.market.bars import BarPanel


@pytest.fixture(scope="module")
def splits(study: Study) -> list[Split]:
    return list(walk_forward_splits(len(study.panel), 400, 150, embargo=5))


@pytest.fixture(scope="module")
def result(study: Study, splits: list[Split]) -> WalkForward:
    return walk(study, splits)


def test_each_window_takes_the_best_of_its_train_rows(study: Study, splits: list[Split], result: WalkForward) -> None:
    stage = study.stage()
    for window, split in zip(result.windows, splits, strict=True):
        scores = []
        for params in study.candidates:
            first = max(int(split.train[0]), 1)
            course = stage.run([Stretch(params, first, int(split.train[-1]) + 1)], warm=study.warm)
            scores.append(measure(course.equity, 252.0).sharpe)
        known = [s for s in scores if s is not None]
        assert window.in_sample == max(known)
        best = study.candidates[scores.index(max(known))]
        assert list(window.params.values()) == best.tolist()
        test = stage.run([Stretch(best, window.test_first, window.test_after)], warm=study.warm)
        assert window.out_of_sample == measure(test.equity, 252.0).sharpe
        assert window.degradation == window.out_of_sample - window.in_sample


def test_the_stitched_account_covers_every_test_row_once(result: WalkForward, splits: list[Split]) -> None:
    assert len(result.course.equity) == sum(len(s.test) for s in splits) + 1
    assert result.times.tolist() == result.study.panel.timestamps[splits[0].test[0] :].tolist()
    assert len(result.default_course.equity) == len(result.course.equity)


def test_the_test_rows_never_change_what_was_chosen_before_them(study: Study, splits: list[Split]) -> None:
    panel = study.panel
    values = panel.values.copy()
    cut = int(splits[1].test[0])
    values[cut:] *= np.linspace(1.0, 3.0, len(panel) - cut)[:, None, None]
    other = dataclasses.replace(
        study, panel=dataclasses.replace(panel, timestamps=panel.timestamps.copy(), values=values)
    )
    one, changed = walk(study, splits), walk(other, splits)
    for n in (0, 1):
        assert one.windows[n].params == changed.windows[n].params
        assert one.windows[n].in_sample == changed.windows[n].in_sample
    assert one.windows[0].out_of_sample == changed.windows[0].out_of_sample
    before = cut - one.course.first + 1
    assert one.course.equity_quanta[:before].tolist() == changed.course.equity_quanta[:before].tolist()
    assert one.windows[1].out_of_sample != changed.windows[1].out_of_sample


def test_where_windows_are_answered_changes_nothing(study: Study, splits: list[Split], result: WalkForward) -> None:
    def backwards(study: Study, splits: Sequence[Split]) -> Iterator[Fit]:
        yield from reversed(list(in_process(study, splits)))

    for mapper in (InThreads(2), backwards):
        other = walk(study, splits, mapper=mapper)
        assert other.windows == result.windows
        assert other.course.equity_quanta.tolist() == result.course.equity_quanta.tolist()


def test_a_mapper_that_loses_a_window_is_found_out(study: Study, splits: list[Split]) -> None:
    def lossy(study: Study, splits: Sequence[Split]) -> Iterator[Fit]:
        yield from list(in_process(study, splits))[1:]

    with pytest.raises(ResearchError, match="1 windows were left"):
        walk(study, splits, mapper=lossy)


def test_progress_counts_every_window(study: Study, splits: list[Split]) -> None:
    seen: list[tuple[int, int]] = []
    walk(study, splits, on_window=lambda done, total: seen.append((done, total)))
    assert seen == [(n, len(splits)) for n in range(1, len(splits) + 1)]


def test_one_candidate_makes_the_stitched_account_that_candidate(panel: BarPanel, study: Study) -> None:
    only = walk_forward(
        panel,
        study.strategy,
        {"lookback": (study.strategy.vector()[0],)},
        walk_forward_splits(len(panel), 400, 150),
        sizing=study.sizing,
        costs=study.costs,
        cash=study.cash,
        warm=len(panel),
    )
    assert only.course.equity_quanta.tolist() == only.default_course.equity_quanta.tolist()
    assert only.score == study.score(only.course.equity)


def test_overlapping_test_windows_follow_the_newest_parameters(study: Study) -> None:
    splits = list(walk_forward_splits(len(study.panel), 400, 200, step=100))
    result = walk(study, splits)
    stretches = [
        Stretch(np.array(list(w.params.values())), w.test_first, after)
        for w, after in zip(
            result.windows, [*(w.test_first for w in result.windows[1:]), len(study.panel)], strict=True
        )
    ]
    expected = study.stage().run(stretches, warm=study.warm)
    assert result.course.equity_quanta.tolist() == expected.equity_quanta.tolist()


def test_efficiency_is_the_ratio_of_mean_scores(result: WalkForward) -> None:
    inside = [w.in_sample for w in result.windows]
    outside = [w.out_of_sample for w in result.windows]
    assert result.efficiency == pytest.approx(sum(outside) / sum(inside))


def test_the_frame_has_a_row_a_window_and_the_varied_parameters(result: WalkForward) -> None:
    frame = result.frame()
    assert frame.height == len(result.windows)
    assert [c for c in frame.columns if c in ("lookback", "entry", "skip")] == ["lookback", "entry"]
    assert frame["train_end"][0] < frame["test_start"][0]


def test_splits_that_do_not_walk_forward_are_refused(study: Study) -> None:
    with pytest.raises(ResearchError, match="does not walk forward"):
        walk(study, list(purged_kfold(len(study.panel), 5)))
    with pytest.raises(ResearchError, match="no window"):
        walk(study, [])
    rows = np.arange(100)
    with pytest.raises(ResearchError, match="leaves test rows out"):
        walk(study, [Split(rows, rows + 100), Split(rows, rows + 300)])


def test_a_study_that_makes_no_sense_is_refused(study: Study) -> None:
    with pytest.raises(ResearchError, match="cannot be maximised"):
        dataclasses.replace(study, metric="volatility")
    with pytest.raises(ResearchError, match="warm=-1"):
        dataclasses.replace(study, warm=-1)
    with pytest.raises(ResearchError, match="Candidates have shape"):
        dataclasses.replace(study, candidates=study.candidates[:0])
    with pytest.raises(ResearchError, match="workers=0"):
        InThreads(0)
