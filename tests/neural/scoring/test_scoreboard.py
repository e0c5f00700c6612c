import json

import numpy as np
import pytest
from scipy import stats

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.evaluation import Plan, Walk, walk_forward
from nt_ray.neural.scoring.method import Forecasts, Naive, Plain
from nt_ray.neural.scoring.scoreboard import Board, Row, Terms, calibration_of, evaluate, score
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.types import FloatArray, IntArray

PLAN = Plan(train=200, test=100)


def panel_of(target: FloatArray) -> SeriesPanel:
    times = np.datetime64("2020-01-01", "us") + np.arange(target.shape[1]) * np.timedelta64(1, "D")
    return SeriesPanel(tuple(f"s{i}" for i in range(len(target))), times, target)


def autoregression(rows: int = 700, names: int = 5, memory: float = 0.6) -> SeriesPanel:
    values = np.random.default_rng(1).normal(size=(names, rows))
    for t in range(1, rows):
        values[:, t] += memory * values[:, t - 1]
    return panel_of(values)


def knows(known: SeriesPanel, panel: SeriesPanel, origins: IntArray) -> FloatArray:
    del known
    ahead = 0.6 ** np.arange(1, 4)
    return panel.target[:, origins, None] * ahead


def guesses(known: SeriesPanel, panel: SeriesPanel, origins: IntArray) -> FloatArray:
    del known
    return panel.target[:, origins, None] + np.random.default_rng(3).normal(
        0.0, 1.0, (len(panel.names), len(origins), 3)
    )


@pytest.fixture(scope="module")
def board() -> Board:
    panel = autoregression()
    return evaluate(panel, [Plain("knows", 3, knows), Plain("guesses", 3, guesses)], PLAN, Terms(season=7, draws=50))[0]


def row(board: Board, name: str) -> Row:
    return next(r for r in board.rows if r.name == name)


def value(board: Board, name: str, score: str) -> float:
    figure = row(board, name).figures[score]
    assert figure is not None
    return figure.value


def test_naive_rows_stand_in_every_table(board: Board) -> None:
    assert [r.name for r in board.rows] == ["last value", "seasonal", "drift", "mean", "knows", "guesses"]
    table = board.table()
    assert table[0][:3] == ["", "mse", "mae"]
    assert [line[0] for line in table[1:]] == [r.name for r in board.rows]


def test_the_verdict_is_plain_for_who_knows_and_for_who_guesses(board: Board) -> None:
    beats, why = board.verdicts["knows"]
    assert beats
    assert why.startswith("knows beats the last value: yes. Its squared error is ")
    assert "lower" in why
    fails, why = board.verdicts["guesses"]
    assert not fails
    assert why.startswith("guesses beats the last value: no.")
    assert "higher" in why


def test_scores_of_a_row_are_those_of_its_forecasts(board: Board) -> None:
    panel = autoregression()
    origins = np.arange(199, 697)
    truth = np.stack([panel.target[:, origins + h] for h in (1, 2, 3)], axis=2)
    forecast = knows(panel, panel, origins)
    assert board.origins == len(origins)
    assert value(board, "knows", "mse") == pytest.approx(np.mean((truth - forecast) ** 2), rel=1e-12)
    scale = np.mean(np.abs(panel.target[:, 7:200] - panel.target[:, :193]), axis=1)
    assert value(board, "knows", "mase") == pytest.approx(
        np.mean(np.abs(truth - forecast).mean(axis=(1, 2)) / scale), rel=1e-12
    )
    moves = truth[:, :, 2] - panel.target[:, origins], forecast[:, :, 2] - panel.target[:, origins]
    expected = np.mean([stats.spearmanr(moves[0][:, n], moves[1][:, n]).statistic for n in range(len(origins))])
    assert value(board, "knows", "rank_ic") == pytest.approx(expected, rel=1e-9)


def test_intervals_of_every_row_cover_what_they_promise(board: Board) -> None:
    for r in board.rows:
        assert value(board, r.name, "coverage_80%") == pytest.approx(0.8, abs=0.03)
        assert value(board, r.name, "coverage_90%") == pytest.approx(0.9, abs=0.03)
    assert value(board, "knows", "width_80%") < value(board, "last value", "width_80%")
    assert value(board, "knows", "crps") < value(board, "last value", "crps")


def test_who_knows_stands_above_the_permutation_null_and_who_repeats_has_none(board: Board) -> None:
    p = row(board, "knows").null_p
    assert p is not None
    assert p <= 0.05
    # The last value does not move, so it orders nothing.
    assert row(board, "last value").null_p is None
    assert row(board, "last value").figures["rank_ic"] is None


def test_the_report_is_json(board: Board) -> None:
    plain = json.loads(json.dumps(board.report(), allow_nan=False))
    assert plain["reference"] == "last value"
    assert plain["verdicts"]["knows"]["beats"] is True
    assert plain["rows"][4]["mse"]["kind"] == "origins"


def test_several_seeds_get_students_interval_and_must_all_be_better() -> None:
    panel = autoregression(names=3)
    origins = np.arange(199, 697)
    good = Forecasts(origins, knows(panel, panel, origins))
    bad = Forecasts(origins, good.mean + 5.0)
    walks = [walk_forward(panel, Naive("last value", 3), PLAN), Walk("mixed", (0, 1, 2), (good, good, bad))]
    found = score(panel, walks, PLAN, Terms(draws=5))
    figure = row(found, "mixed").figures["mse"]
    assert figure is not None
    errors = [np.mean((np.stack([panel.target[:, origins + h] for h in (1, 2, 3)], axis=2) - m.mean) ** 2)
              for m in (good, good, bad)]  # fmt: skip
    low, high = stats.t.interval(0.95, 2, np.mean(errors), stats.sem(errors))
    assert (figure.kind, figure.low, figure.high) == ("seeds", pytest.approx(low), pytest.approx(high))
    beats, why = found.verdicts["mixed"]
    assert not beats
    assert "2 of 3 seeds" in why


def test_returns_are_judged_against_the_last_price() -> None:
    panel = panel_of(np.random.default_rng(4).normal(0.0, 0.01, (4, 500)))
    found, _ = evaluate(panel, [Plain("guesses", 3, guesses)], PLAN, Terms(kind="return", draws=5))
    assert found.reference == "zero"
    beats, why = found.verdicts["guesses"]
    assert not beats
    assert "beats the last price (a return of zero): no" in why


def test_what_one_row_cannot_forecast_is_scored_for_none() -> None:
    panel = autoregression(names=3)
    origins = np.arange(199, 697)
    mean = knows(panel, panel, origins)
    mean[0, :100] = np.nan
    walks = [walk_forward(panel, Naive("last value", 3), PLAN), Walk("silent", (0,), (Forecasts(origins, mean),))]
    found = score(panel, walks, PLAN, Terms(draws=5))
    assert found.left_out == pytest.approx(100 / (3 * 498))
    truth = np.stack([panel.target[:, origins + h] for h in (1, 2, 3)], axis=2)
    keep = np.isfinite(mean)
    last = np.repeat(panel.target[:, origins, None], 3, axis=2)
    assert value(found, "last value", "mse") == pytest.approx(np.mean((truth[keep] - last[keep]) ** 2), rel=1e-12)


def test_calibration_of_a_row_is_near_its_levels() -> None:
    panel = autoregression()
    made = walk_forward(panel, Plain("knows", 3, knows), PLAN).forecasts[0]
    shares = calibration_of(panel, made)
    assert shares is not None
    np.testing.assert_allclose(shares, Terms().levels, atol=0.04)


def test_tables_that_would_mislead_are_refused() -> None:
    panel = autoregression(names=3)
    with pytest.raises(NeuralError, match="one horizon"):
        evaluate(panel, [Plain("a", 3, knows), Plain("b", 2, knows)], PLAN)
    with pytest.raises(NeuralError, match="not distinct"):
        evaluate(panel, [Plain("last value", 3, knows)], PLAN)
    walk = walk_forward(panel, Plain("knows", 3, knows), PLAN)
    with pytest.raises(NeuralError, match="'last value' is missing"):
        score(panel, [walk], PLAN)
    other = walk_forward(panel, Naive("last value", 3), Plan(train=300, test=100))
    with pytest.raises(NeuralError, match="different origins"):
        score(panel, [walk, other], PLAN)
