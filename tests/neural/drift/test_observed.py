import numpy as np
import pytest

from nt_ray.neural.drift.drift import error_drift
from nt_ray.neural.drift.drift_reference import FEWEST, reference_of
from nt_ray.neural.drift.observed import columns_of, errors_of, origins_of, validation_errors
from nt_ray.neural.inference.calibrating import calibrated
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train


def test_columns_are_targets_and_inputs_but_those_of_a_calendar(gappy: SeriesPanel) -> None:
    found = columns_of(gappy, 10, 30)
    assert sorted(found) == sorted([*"abc", *(f"{s}.{i}" for s in "abc" for i in ("volume", "spread"))])
    np.testing.assert_array_equal(found["b"], gappy.target[1, 10:30])
    np.testing.assert_array_equal(found["b.spread"], gappy.past[1, 10:30, 1])


def test_errors_are_of_the_row_after_each_origin_and_their_mean_over_the_series(
    waves: SeriesPanel, recipe: Recipe
) -> None:
    trained = train(waves, recipe)
    origins = origins_of(trained, waves, 239)
    assert origins.tolist() == list(range(239, 299))
    mean, _ = Predictor(trained).windows(waves, origins)
    wanted = [np.mean([abs(mean[s, i, 0] - waves.target[s, o + 1]) for s in range(3)]) for i, o in enumerate(origins)]
    errors, hits = errors_of(trained, waves, origins)
    np.testing.assert_allclose(errors, wanted)
    assert hits == {}
    np.testing.assert_allclose(validation_errors(trained, waves), wanted)


def test_hits_are_those_of_one_series_after_the_other(waves: SeriesPanel, recipe: Recipe) -> None:
    trained = calibrated(train(waves, recipe), waves)
    origins = origins_of(trained, waves, 239)
    _, quantiles = Predictor(trained).windows(waves, origins, (0.05, 0.95), intervals="conformal")
    _, hits = errors_of(trained, waves, origins)
    wanted = [
        quantiles[i % 3, i, 0, 0] <= waves.target[i % 3, o + 1] <= quantiles[i % 3, i, 0, 1]
        for i, o in enumerate(origins)
    ]
    assert hits[0.9].tolist() == wanted
    # The windows that calibrated it are those it is asked about, so nine in ten are held.
    assert np.mean(wanted) == pytest.approx(0.9, abs=0.08)


def test_too_few_validation_rows_leave_no_errors(waves: SeriesPanel, recipe: Recipe) -> None:
    few = train(waves, recipe.model_copy(update={"validation": (FEWEST - 2) / 300}))
    assert validation_errors(few, waves) is None
    none = train(waves, recipe.model_copy(update={"validation": 0.0}))
    assert validation_errors(none, waves) is None


def test_a_broken_model_is_seen_by_its_errors_and_a_good_one_is_not(waves: SeriesPanel, recipe: Recipe) -> None:
    trained = train(waves, recipe)
    reference = reference_of({"a": waves.target[0]}, validation_errors(trained, waves))
    errors, _ = errors_of(trained, waves, origins_of(trained, waves, 239))
    assert error_drift(reference, errors).alarm is None
    assert error_drift(reference, np.tile(errors * 4, 3)).alarm is not None
