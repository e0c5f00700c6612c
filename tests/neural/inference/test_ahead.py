import numpy as np
import pytest

from nt_ray.neural.inference.ahead import forecast_ahead
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train


def test_forecasts_are_those_of_the_predictor_and_intervals_widen_with_their_share(
    waves: SeriesPanel, recipe: Recipe
) -> None:
    trained = train(waves, recipe)
    found = forecast_ahead(trained, waves, (0.5, 0.9), history=150)
    np.testing.assert_array_equal(found.mean, Predictor(trained).forecast(waves).mean)
    assert found.history == 150
    assert found.low.shape == (3, 4, 2)
    assert (found.low[..., 1] < found.low[..., 0]).all()
    assert (found.low[..., 0] < found.mean).all()
    assert (found.mean < found.high[..., 0]).all()
    assert (found.high[..., 0] < found.high[..., 1]).all()
    # The noise has a deviation of 0.05 and the waves one of 0.7.
    assert (found.high[:, 0, 1] - found.low[:, 0, 1] < 1.0).all()


def test_intervals_hold_their_share_of_what_comes_next(waves: SeriesPanel, recipe: Recipe) -> None:
    trained = train(waves.rows(0, 150), recipe)
    inside = []
    for last in range(220, 296, 5):
        found = forecast_ahead(trained, waves.rows(0, last), (0.9,), history=100)
        truth = waves.target[:, last : last + 4]
        inside.append((found.low[..., 0] <= truth) & (truth <= found.high[..., 0]))
    assert 0.8 < float(np.mean(inside)) < 1.0


def test_a_head_with_quantiles_has_them_corrected(waves: SeriesPanel, recipe: Recipe) -> None:
    trained = train(waves, recipe.model_copy(update={"head": "quantile"}))
    found = forecast_ahead(trained, waves, (0.8,))
    assert (found.low < found.high).all()
    assert np.isfinite(found.low).all()


def test_without_known_errors_intervals_are_infinite(waves: SeriesPanel, recipe: Recipe) -> None:
    found = forecast_ahead(train(waves, recipe), waves.rows(0, 12), (0.9,))
    assert found.history == 0
    assert np.isposinf(found.high).all()


@pytest.mark.parametrize(("rows", "share", "words"), [(11, 0.9, "look-back of 12"), (50, 1.0, "make no sense")])
def test_what_cannot_be_forecast_is_refused(
    waves: SeriesPanel, recipe: Recipe, rows: int, share: float, words: str
) -> None:
    with pytest.raises(NeuralError, match=words):
        forecast_ahead(train(waves, recipe), waves.rows(0, rows), (share,))


def test_a_forecast_keeps_its_bits_whatever_is_missing_elsewhere(waves: SeriesPanel, recipe: Recipe) -> None:
    from dataclasses import replace

    from nt_ray.neural.inference.predictor import predict_windows

    trained = train(waves, recipe)
    origins = np.arange(100, 200)
    whole, _ = predict_windows(trained, waves, origins)
    target = waves.target.copy()
    target[:, 131:] = np.nan
    cut, _ = predict_windows(trained, replace(waves, target=target), origins)
    assert whole[:, :31].tobytes() == cut[:, :31].tobytes()
    assert np.isnan(cut[:, -1]).all()
