from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring import intervals
from nt_ray.neural.scoring.evaluation import Plan
from nt_ray.neural.scoring.leak import (
    CHANGES,
    REMOVED,
    Dated,
    LeakError,
    changed_futures,
    evaluated,
    find_leaks,
    predicted,
    refuse_leaks,
)
from nt_ray.neural.scoring.method import Forecasts, Naive, Plain
from nt_ray.neural.scoring.naive import RULES
from nt_ray.neural.scoring.scoreboard import Terms
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.types import FloatArray, IntArray

ROWS = 120


def panel(seed: int = 0) -> SeriesPanel:
    rng = np.random.default_rng(seed)
    times = np.datetime64("2020-01-01", "us") + np.arange(ROWS) * np.timedelta64(1, "D")
    target = np.cumsum(rng.normal(size=(2, ROWS)), axis=1)
    return SeriesPanel(("a", "b"), times, target, rng.normal(size=(2, ROWS, 1)), ("volume",))


PLAN = Plan(train=50, test=20)


@pytest.mark.parametrize("name", sorted(RULES))
def test_no_naive_row_leaks(name: str) -> None:
    assert find_leaks(panel(), evaluated(Naive(name, 3, 5), PLAN)) == ()


@pytest.mark.parametrize("name", sorted(RULES))
def test_no_interval_that_learns_on_the_way_leaks(name: str) -> None:
    assert find_leaks(panel(), evaluated(Naive(name, 3, 5), PLAN, Terms()), [49, 80, 110]) == ()


@pytest.mark.parametrize("learner", ["recent_errors", "adaptive_radii", "rolling_quantiles"])
def test_intervals_that_learn_from_what_is_to_come_are_caught_where_forecasts_are_sound(
    learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = getattr(intervals, learner)

    def early(first: FloatArray, *rest: Any, **named: Any) -> Any:
        # Each origin is handed the errors of three later ones, as a shift by the horizon in the wrong direction does.
        return sound(np.roll(first, -3, axis=1), *rest, **named)

    monkeypatch.setattr(intervals, learner, early)
    leaks = find_leaks(panel(), evaluated(Naive("drift", 3), PLAN, Terms()), [49, 80, 110])
    assert leaks
    told = {leak.output.removesuffix(" of a").removesuffix(" of b") for leak in leaks}
    assert told <= {"seed 0: 80% interval", "seed 0: 90% interval", "seed 0: scored quantiles"}


def standardised_over_everything(known: SeriesPanel, seen: SeriesPanel, origins: IntArray) -> FloatArray:
    """A forecast whose scale is fitted on the whole series, test rows included: the common mistake."""
    del known
    mean = np.nanmean(seen.target, axis=1, keepdims=True)
    return np.repeat((0.9 * (seen.target[:, origins] - mean) + mean)[:, :, None], 3, axis=2)


def standardised_over_training(known: SeriesPanel, seen: SeriesPanel, origins: IntArray) -> FloatArray:
    mean = np.nanmean(known.target, axis=1, keepdims=True)
    return np.repeat((0.9 * (seen.target[:, origins] - mean) + mean)[:, :, None], 3, axis=2)


def test_a_scale_fitted_on_test_rows_is_caught_and_one_fitted_on_training_rows_is_not() -> None:
    leaks = find_leaks(panel(), evaluated(Plain("leaky", 3, standardised_over_everything), PLAN))
    assert [leak.output for leak in leaks] == ["seed 0: forecast of a", "seed 0: forecast of b"]
    # The first forecast of the walk already knows: its origin is row 49.
    assert {leak.row for leak in leaks} == {49}
    assert "2020-02-19" in leaks[0].sentence()
    assert "fit scales on training rows alone" in leaks[0].sentence()
    assert find_leaks(panel(), evaluated(Plain("sound", 3, standardised_over_training), PLAN)) == ()


def test_a_feature_that_looks_one_row_ahead_is_named_with_its_row() -> None:
    def features(seen: SeriesPanel) -> Mapping[str, Dated]:
        rows = np.arange(ROWS)
        change = np.diff(seen.target[0], prepend=0.0)
        # Centred where it should be trailing.
        centred = np.convolve(np.nan_to_num(seen.target[0]), np.ones(3) / 3.0, mode="same")
        return {
            "change": Dated(rows, change),
            "volume": Dated(rows, seen.past[0]),
            "smooth": Dated(rows, centred),
        }

    leaks = find_leaks(panel(), features, origins=[70, 90])
    assert [(leak.output, leak.row, leak.origin, leak.entries) for leak in leaks] == [("smooth", 70, 70, 1)]
    with pytest.raises(LeakError, match="smooth of row 70") as caught:
        refuse_leaks(panel(), features, origins=[70])
    assert caught.value.leaks[0].change == "the values are disturbed"


def test_a_state_fitted_on_later_rows_is_caught() -> None:
    def scaler(seen: SeriesPanel) -> Mapping[str, Dated]:
        return {
            "scale": Dated(np.array([79]), np.nanstd(seen.target[:, :80], axis=1)[None]),
            "late scale": Dated(np.array([79]), np.nanstd(seen.target[:, :81], axis=1)[None]),
        }

    assert [leak.output for leak in find_leaks(panel(), scaler, origins=[79])] == ["late scale"]


def test_a_predictor_is_tested_as_it_stands() -> None:
    fitted = Plain("leaky", 3, standardised_over_everything).fit(panel(), 0, None)
    assert find_leaks(panel(), predicted(fitted, np.arange(40, 100)))
    refuse_leaks(panel(), predicted(Naive("drift", 3), np.arange(40, 100)))


def test_changed_futures_leave_the_past_as_it_was_and_nothing_after_it() -> None:
    base = panel()
    for _, other in changed_futures(base, 60):
        np.testing.assert_array_equal(other.target[:, :61], base.target[:, :61])
        np.testing.assert_array_equal(other.past[:, :61], base.past[:, :61])
        assert not (other.target[:, 61:] == base.target[:, 61:]).any()
        assert not (other.past[:, 61:] == base.past[:, 61:]).any()


def test_a_pipeline_whose_rows_depend_on_values_is_refused() -> None:
    def dropping(seen: SeriesPanel) -> Mapping[str, Dated]:
        rows = np.flatnonzero(np.isfinite(seen.target[0]))
        return {"kept": Dated(rows, seen.target[0, rows])}

    with pytest.raises(NeuralError, match="'kept' has other rows"):
        find_leaks(panel(), dropping)
    with pytest.raises(NeuralError, match="Origins"):
        find_leaks(panel(), dropping, origins=[ROWS - 1])


def test_quantiles_that_know_the_future_are_caught_where_means_do_not() -> None:
    @dataclass(frozen=True)
    class Banded:
        """The last value, with a band as wide as all of the series, test rows included."""

        name: str = "banded"
        horizon: int = 3

        def fit(self, panel: SeriesPanel, seed: int, before: object) -> "Banded":
            return self

        def forecast(self, panel: SeriesPanel, origins: IntArray) -> Forecasts:
            mean = np.repeat(panel.target[:, origins, None], self.horizon, axis=2)
            width = np.nanstd(panel.target, axis=1)[:, None, None]
            return Forecasts(origins, mean, (0.1, 0.9), np.stack([mean - width, mean + width], axis=-1))

        def state(self) -> Mapping[str, FloatArray]:
            return {}

    leaks = find_leaks(panel(), evaluated(Banded(), PLAN))
    assert [leak.output for leak in leaks] == ["seed 0: quantiles of a", "seed 0: quantiles of b"]


def test_futures_are_changed_as_it_was_asked_for() -> None:
    told = [what for what, _ in changed_futures(panel(), 60, changes=("multiplied",))]
    assert told == ["the values are multiplied"]
    whole = dict(changed_futures(panel(), 60))
    assert list(whole) == [f"the values are {change}" for change in CHANGES]
    (alone,) = (other for _, other in changed_futures(panel(), 60, changes=(REMOVED,)))
    np.testing.assert_array_equal(alone.target, whole["the values are removed"].target)
