from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nt_ray.neural.inference.predictor import Predictor, predict_windows
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe, Scaling
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import train

Maker = Callable[..., Forecaster]
SCALINGS = ("none", "standard", "robust", "last", "fold")


def quick(panel: SeriesPanel, recipe: Recipe, **change: object) -> Trained:
    return train(panel, recipe.model_copy(update={"steps": 10, "validate_every": 0, **change}))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_all_ways_to_a_forecast_agree(waves: SeriesPanel, recipe: Recipe, scaling: Scaling) -> None:
    predictor = Predictor(quick(waves, recipe, scaling=scaling))
    whole = predictor.forecast(waves).mean
    assert whole.shape == (3, 4)
    mean, _ = predictor.windows(waves, np.array([50, 299, 120]))
    np.testing.assert_array_equal(mean[:, 1], whole)
    np.testing.assert_allclose(predictor.forecast(waves.target).mean, whole)
    for row, name in enumerate(waves.names):
        np.testing.assert_allclose(predictor.forecast_one(waves.target[row], name), whole[row], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_forecasts_carry_the_units_of_the_series(
    waves: SeriesPanel, recipe: Recipe, straight: Maker, scaling: Scaling
) -> None:
    recipe = recipe.model_copy(update={"scaling": scaling, "steps": 1, "lr": 1e-12, "validate_every": 0})
    network = straight(recipe)
    layer = network.get_submodule("layer")
    predictor = Predictor(train(waves, recipe, network=network))
    weight, bias = (p.detach().numpy().astype(float) for p in layer.parameters())
    past = waves.target[2, -12:]
    location, scale = (past.mean(), past.std()) if scaling == "standard" else (0.0, 1.0)
    by_hand = (weight @ ((past - location) / scale) + bias) * scale + location
    np.testing.assert_allclose(predictor.forecast_one(waves.target[2]), by_hand, rtol=1e-4)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_forecasts_do_not_see_what_comes_after_their_origin(
    gappy: SeriesPanel, recipe: Recipe, scaling: Scaling
) -> None:
    trained = quick(gappy, recipe, model="gru", scaling=scaling)
    origins = np.array([30, 100, 200])
    before, _ = predict_windows(trained, gappy, origins)
    later = {name: getattr(gappy, name).copy() for name in ("target", "past")}
    for values in later.values():
        values[:, 201:] = 1e6
    after, _ = predict_windows(trained, replace(gappy, **later), origins)
    np.testing.assert_array_equal(before, after)
    cut, _ = predict_windows(trained, gappy.rows(0, 201), origins)
    np.testing.assert_array_equal(before, cut)


def test_quantiles_are_ordered_and_in_units(waves: SeriesPanel, recipe: Recipe) -> None:
    predictor = Predictor(quick(waves, recipe, head="quantile"))
    forecast = predictor.forecast(waves, levels=[0.1, 0.5, 0.9])
    assert forecast.quantiles.shape == (3, 4, 3)
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    assert (np.abs(forecast.quantiles[2] - 100) < 20).all()


def test_future_inputs_reach_the_end_of_the_horizon_or_the_forecast_is_refused(
    gappy: SeriesPanel, recipe: Recipe
) -> None:
    predictor = Predictor(quick(gappy, recipe, model="gru"))
    assert np.isfinite(predictor.forecast(gappy).mean).all()
    with pytest.raises(NeuralError, match=r"future inputs for 2 more allows 11 to 9. Give more rows"):
        predictor.forecast(replace(gappy, future=gappy.future[:, :302]))


def test_histories_that_cannot_be_forecast_from_are_refused(waves: SeriesPanel, recipe: Recipe) -> None:
    predictor = Predictor(quick(waves, recipe))
    short, missing, constant = waves.target[0, :11], waves.target[0].copy(), np.full(40, 2.5)
    missing[-8:] = np.nan
    for values, words in (
        (short, "11 rows, and the model looks back 12"),
        (missing, "missing or infinite"),
        (np.append(waves.target[0], np.inf), "missing or infinite"),
        (constant, "2.5 in the last 12 rows"),
    ):
        with pytest.raises(NeuralError, match=words):
            predictor.forecast_one(values)
    for values, words in (
        (short, "11 rows"),
        (missing, "has 4 values in the 12 rows up to row 11, and 6 are needed"),
        (constant, "2.5 in the last 12 rows"),
        (np.empty((0, 3)), "shape"),
    ):
        with pytest.raises(NeuralError, match=words):
            predictor.forecast(values)


def test_one_series_with_gaps_is_masked_where_training_had_gaps(gappy: SeriesPanel, recipe: Recipe) -> None:
    panel = SeriesPanel(gappy.names, gappy.times, gappy.target)
    for scaling in ("standard", "fold"):
        predictor = Predictor(quick(panel, recipe.model_copy(update={"scaling": scaling})))
        rows = panel.target[:, -12:].copy()
        rows[:, 3:5] = np.nan
        whole = predictor.forecast(SeriesPanel(panel.names, panel.times[-12:], rows))
        for row, name, mean in zip(rows, panel.names, whole.mean, strict=True):
            np.testing.assert_allclose(predictor.forecast_one(row, name), mean, rtol=1e-6)
    with pytest.raises(NeuralError, match="has 0 values in the 12 rows"):
        predictor.forecast_one(np.full(12, np.nan), "b")
    with pytest.raises(NeuralError, match="missing or infinite"):
        predictor.forecast_one(np.append(rows[0], np.inf), "a")
    with pytest.raises(NeuralError, match="Unknown series 'z'"):
        predictor.forecast_one(rows[0], "z")


def test_an_evaluation_leaves_out_what_was_not_observed(waves: SeriesPanel, recipe: Recipe) -> None:
    trained = quick(waves, recipe)
    waves.target[1, 100:140] = np.nan
    waves.target[2, 100:140] = 55.0
    mean, quantiles = predict_windows(trained, waves, np.array([50, 130]))
    assert quantiles.shape == (3, 2, 4, 0)
    assert np.isnan(mean[1, 1]).all()
    assert np.isfinite(mean[[0, 0, 1, 2, 2], [0, 1, 0, 0, 1]]).all()
    assert (np.abs(mean[2, 1] - 55) < 5).all()


def test_a_panel_of_other_inputs_or_frequency_is_refused(
    waves: SeriesPanel, gappy: SeriesPanel, recipe: Recipe
) -> None:
    plain, rich = Predictor(quick(waves, recipe)), Predictor(quick(gappy, recipe, model="gru"))
    with pytest.raises(NeuralError, match=r"Unknown past input 'volume'.*trained without it"):
        plain.forecast(gappy)
    with pytest.raises(NeuralError, match=r"past inputs \['volume', 'spread'\], not on \[\]"):
        rich.forecast(waves)
    with pytest.raises(NeuralError, match="takes inputs beside the series"):
        rich.forecast_one(waves.target[0])
    with pytest.raises(NeuralError, match="rows of 1h, and these are 1d apart"):
        plain.forecast(replace(waves, frequency="1d"))


def test_a_scale_of_the_training_rows_asks_for_the_series_name(waves: SeriesPanel, recipe: Recipe) -> None:
    several = Predictor(quick(waves, recipe, scaling="fold"))
    for name in ("", "aa"):
        with pytest.raises(NeuralError, match=f"Unknown series '{name}'"):
            several.forecast_one(waves.target[0], name)
    with pytest.raises(NeuralError, match="1 series came without names"):
        several.forecast(waves.target[0])
    single = Predictor(quick(waves.select(["a"]), recipe, scaling="fold"))
    np.testing.assert_allclose(
        single.forecast_one(waves.target[0]), single.forecast(waves.target[0]).mean[0], rtol=1e-5
    )
