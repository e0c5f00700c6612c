from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.leak import Dated, find_leaks
from nt_ray.neural.scoring.rolling import Rolling, forecast_rolling
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe

RECIPE = Recipe(
    model="dlinear", parameters={"kernel": 3}, lookback=8, horizon=2, scaling="fold", batch=32, steps=5, lr=0.01,
    validation=0.0, validate_every=0, seed=3,
)  # fmt: skip
ROLLING = Rolling(train=60, every=40)


@pytest.fixture
def returns() -> SeriesPanel:
    """Four series that turn round from row to row; the last is listed at row 110, the third has gaps."""
    rng = np.random.default_rng(5)
    target = rng.normal(0.0, 0.01, (4, 180))
    for t in range(1, 180):
        target[:, t] -= 0.6 * target[:, t - 1]
    target[3, :110] = np.nan
    target[2, rng.random(180) < 0.1] = np.nan
    times = np.datetime64("2020-01-01", "us") + np.arange(180) * np.timedelta64(1, "D")
    return SeriesPanel(("a", "b", "c", "d"), times, target)


@pytest.mark.parametrize("anchored", [True, False])
def test_no_forecast_knows_what_comes_after_it(returns: SeriesPanel, anchored: bool) -> None:
    rolling = replace(ROLLING, anchored=anchored)

    def produce(panel: SeriesPanel) -> Mapping[str, Dated]:
        made = forecast_rolling(panel, RECIPE, rolling)
        return {name: Dated(made.origins, made.mean[s]) for s, name in enumerate(panel.names)}

    # The row of a fit, the one before the next, and one in the midst.
    assert not find_leaks(returns, produce, [59, 98, 120])


def test_more_rows_change_no_bit_of_the_forecasts_before_them(returns: SeriesPanel) -> None:
    whole = forecast_rolling(returns, RECIPE, ROLLING)
    for rows in (61, 100, 131):
        part = forecast_rolling(returns.rows(0, rows), RECIPE, ROLLING)
        assert part.mean.tobytes() == np.ascontiguousarray(whole.mean[:, : len(part.origins)]).tobytes()
        assert part.origins[-1] == rows - 1


def test_every_row_from_the_first_fit_on_has_a_forecast_of_the_series_that_were_trained_on(
    returns: SeriesPanel,
) -> None:
    told: list[tuple[int, int]] = []
    made = forecast_rolling(returns, RECIPE, ROLLING, on_fit=lambda done, total: told.append((done, total)))
    assert made.origins.tolist() == list(range(59, 180))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert np.isfinite(made.mean[:3]).all()
    # Listed at row 110, it is part of the fit at row 139 for the first time.
    assert np.isnan(made.mean[3, : 139 - 59]).all()
    assert np.isfinite(made.mean[3, 139 - 59 :]).all()


def test_a_window_that_rolls_forgets_and_one_that_is_anchored_does_not() -> None:
    assert ROLLING.fits(150) == [(0, 59, 99), (0, 99, 139), (0, 139, 150)]
    assert replace(ROLLING, anchored=False).fits(150) == [(0, 59, 99), (40, 99, 139), (80, 139, 150)]
    assert ROLLING.fits(59) == []


def test_fits_that_no_row_needs_are_left_out_and_the_others_stay_what_they_are(returns: SeriesPanel) -> None:
    assert ROLLING.fits(150, since=99) == ROLLING.fits(150)[1:]
    assert ROLLING.fits(150, since=98) == ROLLING.fits(150)
    whole, part = (forecast_rolling(returns, RECIPE, ROLLING, since=since) for since in (0, 120))
    assert part.origins.tolist() == list(range(99, 180))
    assert part.mean.tobytes() == np.ascontiguousarray(whole.mean[:, 40:]).tobytes()


def test_bits_do_not_depend_on_the_number_of_threads_which_stays_what_it_was(returns: SeriesPanel) -> None:
    before, made = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            made.append(forecast_rolling(returns, RECIPE, ROLLING).mean.tobytes())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert made[0] == made[1]


def test_it_finds_what_there_is_to_find(returns: SeriesPanel) -> None:
    made = forecast_rolling(returns, RECIPE.model_copy(update={"steps": 150, "lr": 0.02}), ROLLING)
    came = returns.target[:2, made.origins[:-1] + 1]
    assert np.corrcoef(made.mean[:2, :-1, 0].ravel(), came.ravel())[0, 1] > 0.3


def test_too_few_rows_and_steps_of_nothing_are_refused(returns: SeriesPanel) -> None:
    with pytest.raises(NeuralError, match="has 50 rows, and the first fit takes 60"):
        forecast_rolling(returns.rows(0, 50), RECIPE, ROLLING)
    with pytest.raises(NeuralError, match="every=0"):
        Rolling(train=10, every=0)
