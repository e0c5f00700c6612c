import numpy as np
import pytest

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.evaluation import Plan, fold_origins, walk_forward
from nt_ray.neural.scoring.method import Fitted, Forecasts, Naive, Plain
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.types import FloatArray, IntArray


def panel_of(target: FloatArray) -> SeriesPanel:
    times = np.datetime64("2020-01-01", "us") + np.arange(target.shape[1]) * np.timedelta64(1, "D")
    return SeriesPanel(tuple(f"s{i}" for i in range(len(target))), times, target)


WALK = panel_of(np.cumsum(np.random.default_rng(0).normal(size=(2, 100)), axis=1))


@pytest.mark.parametrize("anchored", [True, False])
def test_every_origin_after_the_first_training_window_is_forecast_once(anchored: bool) -> None:
    plan = Plan(train=40, test=13, purge=3, embargo=2, anchored=anchored)
    folds = fold_origins(100, 4, plan)
    # The first test row is 40 + 5, its origin the row before; the last horizon ends with the panel.
    assert np.concatenate([o for _, o in folds]).tolist() == list(range(44, 96))
    for split, origins in folds:
        assert int(split.train[-1]) + 5 == int(origins[0])
        assert len(split.train) == 40 or anchored


def test_a_stride_counts_from_the_first_origin_on_across_folds() -> None:
    plan = Plan(train=40, test=13, stride=4)
    found = np.concatenate([o for _, o in fold_origins(100, 4, plan)])
    assert found.tolist() == list(range(39, 96, 4))


def test_a_method_is_handed_the_training_rows_alone_for_each_fold_and_seed() -> None:
    seen: list[tuple[int, int, bool]] = []

    class Recorder:
        name, horizon = "recorder", 4

        def fit(self, panel: SeriesPanel, seed: int, before: Fitted | None) -> Fitted:
            seen.append((len(panel), seed, before is not None))
            return Naive("zero", 4)

    for refit, expected in (
        ("fold", [(40, 7, False), (70, 7, False), (40, 8, False), (70, 8, False)]),
        ("warm", [(40, 7, False), (70, 7, True), (40, 8, False), (70, 8, True)]),
        ("once", [(40, 7, False), (40, 8, False)]),
    ):
        seen.clear()
        walk = walk_forward(WALK, Recorder(), Plan(train=40, test=30, seeds=(7, 8), refit=refit))
        assert seen == expected
        assert walk.seeds == (7, 8)
        assert walk.forecasts[0].mean.shape == (2, 57, 4)


def test_a_naive_walk_is_the_rule_at_every_origin() -> None:
    walk = walk_forward(WALK, Naive("last value", 3), Plan(train=50, test=10))
    made = walk.forecasts[0]
    np.testing.assert_array_equal(made.mean[:, :, 2], WALK.target[:, made.origins])


def test_plans_that_cannot_be_walked_are_refused() -> None:
    with pytest.raises(NeuralError, match="stride=0"):
        Plan(train=10, test=5, stride=0)
    with pytest.raises(NeuralError, match="seeds"):
        Plan(train=10, test=5, seeds=(1, 1))
    with pytest.raises(NeuralError, match="leave no origin"):
        walk_forward(WALK, Naive("zero", 60), Plan(train=50, test=10))
    with pytest.raises(ResearchError, match="too few"):
        walk_forward(WALK, Naive("zero", 1), Plan(train=100, test=10))


def test_methods_and_forecasts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(NeuralError, match="no naive rule 'median'"):
        Naive("median", 1)
    with pytest.raises(NeuralError, match="do not fit 2 origins"):
        Forecasts(np.arange(2), np.zeros((1, 3, 1)))
    with pytest.raises(NeuralError, match="Quantiles of shape"):
        Forecasts(np.arange(2), np.zeros((1, 2, 1)), (0.5,), np.zeros((1, 2, 1, 2)))
    with pytest.raises(NeuralError, match="no forecasts"):
        Forecasts.joined([])


def test_a_plain_function_gets_what_was_known_at_fitting() -> None:
    def mean_of_training(known: SeriesPanel, panel: SeriesPanel, origins: IntArray) -> FloatArray:
        del panel
        return np.repeat(known.target.mean(axis=1)[:, None, None], len(origins), axis=1)

    walk = walk_forward(WALK, Plain("mean of training", 1, mean_of_training), Plan(train=50, test=50))
    np.testing.assert_allclose(walk.forecasts[0].mean[:, 0, 0], WALK.target[:, :50].mean(axis=1))
