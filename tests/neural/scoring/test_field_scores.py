import json

import numpy as np
import pytest

from nt_ray.backtest.practice import practice_panel
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.field_scores import FORECAST, LAST_MOVE, LAST_PRICE, MEAN_MOVE, moved, score_field
from nt_ray.types import FloatArray

BARS = practice_panel(4, 300)
CAME = moved(BARS, 3).T


def noisy(noise: float, first: int = 100) -> FloatArray:
    field = CAME + np.random.default_rng(1).normal(0.0, noise, CAME.shape)
    field[:first] = np.nan
    return field


def test_who_knows_beats_the_last_price_and_who_guesses_does_not() -> None:
    knows, guesses = (score_field(BARS, noisy(noise), 3) for noise in (1e-9, 0.1))
    row = knows.rows[FORECAST]
    assert row.mse_ratio == pytest.approx(0.0, abs=1e-9)
    assert (row.direction, row.ic, row.rank_ic) == pytest.approx((1.0, 1.0, 1.0))
    assert knows.beats
    assert "beats the last price: yes. Its squared error is 100.00% lower (p < 0.001" in knows.verdict
    assert not guesses.beats
    assert "beats the last price: no." in guesses.verdict
    assert guesses.rows[FORECAST].mse_ratio is not None
    assert guesses.rows[FORECAST].mse_ratio > 1.0


def test_a_slight_advantage_may_be_luck() -> None:
    # Nothing but one good bar.
    field = np.where(np.isnan(CAME), np.nan, 0.0)
    field[200] = CAME[200]
    found = score_field(BARS, field, 3)
    assert not found.beats
    assert "lower, which may be luck" in found.verdict


def test_scores_are_those_of_a_loop_over_forecasts_and_what_came() -> None:
    field = noisy(0.01)
    field[np.random.default_rng(2).random(field.shape) < 0.2] = np.nan
    closes, logs = BARS.closes, np.log(BARS.closes)
    errors: dict[str, list[float]] = {name: [] for name in (FORECAST, LAST_PRICE, LAST_MOVE, MEAN_MOVE)}
    signs = []
    for t in range(len(BARS) - 3):
        for n in range(4):
            if np.isnan(field[t, n]):
                continue
            came = closes[t + 3, n] / closes[t, n] - 1.0
            said = {
                FORECAST: field[t, n],
                LAST_PRICE: 0.0,
                LAST_MOVE: np.exp(3 * (logs[t, n] - logs[t - 1, n])) - 1.0,
                MEAN_MOVE: np.exp(3 * (logs[t, n] - logs[0, n]) / t) - 1.0,
            }
            for name, value in said.items():
                errors[name].append((came - value) ** 2)
            signs.append(np.sign(came) == np.sign(field[t, n]))
    found = score_field(BARS, field, 3)
    for name, values in errors.items():
        assert found.rows[name].mse_ratio == pytest.approx(np.mean(values) / np.mean(errors[LAST_PRICE]), rel=1e-9)
    assert found.rows[FORECAST].direction == pytest.approx(np.mean(signs))
    assert (found.values, found.first) == (len(signs), BARS.time(100).isoformat())
    assert json.loads(json.dumps(found.report()))["rows"][FORECAST]["mse_ratio"] == found.rows[FORECAST].mse_ratio


def test_one_instrument_has_no_coefficient_over_instruments() -> None:
    alone = score_field(BARS.select(["P1"]), noisy(0.01)[:, :1], 3)
    assert alone.rows[FORECAST].ic is None
    assert alone.rows[FORECAST].direction is not None


def test_a_field_that_nothing_came_after_is_not_judged() -> None:
    with pytest.raises(NeuralError, match="No forecast of the field has 3 bars after it"):
        score_field(BARS, noisy(0.01, first=297), 3)
