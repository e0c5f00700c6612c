from typing import Any

import numpy as np
import pytest
from statsmodels.tsa.stattools import adfuller, coint
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from nt_ray.errors import StrategyError
from nt_ray.features.engle_granger import FIT_SIZE
from nt_ray.strategies.pair_model import HEDGES, TESTS, fit, total_slope
from nt_ray.strategies.pairs import STRATEGY
from nt_ray.types import FloatArray

VALUES = {"lookback": 120, "refit": 10, "level": 5, "entry": 1.5, "exit": 0.25, "stop": 3.0, "lags": 1}


def reference(closes: FloatArray) -> tuple[list[list[float]], list[bool]]:
    """Targets of the rule for `VALUES` and whether it votes, by statsmodels' test and numpy's regression."""
    logs = np.log(closes)
    targets, votes = [], []
    position, valid, stopped, closing, beta, alpha, sd = 0, False, False, False, 0.0, 0.0, 1.0
    for t in range(len(logs)):
        if t >= 119:
            if (t - 119) % 10 == 0:
                a, b = logs[t - 119 : t + 1].T
                beta, alpha = np.polyfit(b, a, 1)
                sd = (a - beta * b - alpha).std()
                statistic, _, critical = coint(a, b, trend="c", maxlag=1, autolag=None)
                valid, stopped = statistic < critical[1] and beta > 0.0, False
                closing = not valid and position != 0
            if not valid:
                position = 0
            else:
                z = (logs[t, 0] - beta * logs[t, 1] - alpha) / sd
                if abs(z) > 3.0:
                    stopped, position = True, 0
                elif position * z >= -0.25:
                    position = 0
                if position == 0 and not stopped and abs(z) > 1.5:
                    position = -int(np.sign(z))
        targets.append([position / max(1.0, beta), -position * beta / max(1.0, beta)])
        votes.append(valid or closing)
    return targets, votes


def test_it_follows_its_rule_on_a_cointegrated_pair(drive: Any, pair: FloatArray) -> None:
    targets, confidence = drive(STRATEGY, pair, VALUES)
    expected, votes = reference(pair)
    np.testing.assert_allclose(targets, expected, rtol=1e-7, atol=1e-12)
    assert (confidence > 0.0).tolist() == votes
    assert {-1.0, 0.0, 1.0} == set(np.sign(targets[:, 0]).tolist())
    # The run has all that the rule speaks of: models found and lost, and both directions.
    assert False in votes[120:]
    assert True in votes


def test_the_larger_leg_is_one_and_the_other_the_hedge_ratio(drive: Any, pair: FloatArray) -> None:
    targets, _ = drive(STRATEGY, pair, VALUES | {"lookback": 500})
    traded = targets[targets[:, 0] != 0.0]
    assert len(traded) > 50
    assert np.abs(traded).max(axis=1).tolist() == [1.0] * len(traded)
    assert (np.sign(traded[:, 0]) == -np.sign(traded[:, 1])).all()
    np.testing.assert_allclose(-traded[:, 1] / traded[:, 0], 0.8, atol=0.1)
    mirrored, _ = drive(STRATEGY, pair[:, ::-1].copy(), VALUES | {"lookback": 500})
    swapped = mirrored[mirrored[:, 0] != 0.0]
    assert np.abs(swapped[:, 1]).tolist() == [1.0] * len(swapped)


def test_it_abstains_before_the_first_test(drive: Any, pair: FloatArray) -> None:
    targets, confidence = drive(STRATEGY, pair, VALUES)
    assert not confidence[:119].any()
    assert not targets[:119].any()


def test_it_trades_cointegrated_pairs_and_hardly_independent_walks(drive: Any, pair: FloatArray) -> None:
    values = VALUES | {"level": 1, "lookback": 250}

    def active(closes: FloatArray) -> float:
        return float((drive(STRATEGY, closes, values)[0][:, 0] != 0.0).mean())

    walks = np.random.default_rng(77).normal(0.0, 0.01, (10, 1500, 2)).cumsum(axis=1)
    idle = [active(np.exp(4.0 + walk)) for walk in walks]
    assert active(pair) > 0.2
    assert np.mean(idle) < 0.03


def test_a_negative_hedge_ratio_is_not_traded(drive: Any, pair: FloatArray) -> None:
    mirrored = np.column_stack([pair[:, 0], 1.0 / pair[:, 1]])
    targets, confidence = drive(STRATEGY, mirrored, VALUES)
    assert not targets.any()
    assert not confidence.any()


def test_a_spread_that_runs_away_is_stopped_until_the_next_test(drive: Any, pair: FloatArray) -> None:
    # One model for the whole run; the spread jumps far out, then comes back into the entry band.
    values = VALUES | {"lookback": 200, "refit": 2000, "level": 10}
    calm, _ = drive(STRATEGY, pair[:420], values)
    held = 200 + int(np.argmax(calm[200:, 0] == -1.0))
    assert calm[held, 0] == -1.0
    broken = pair[:420].copy()
    broken[held + 1, 0] *= np.exp(0.3)
    stopped, confidence = drive(STRATEGY, broken, values)
    assert stopped[: held + 1].tolist() == calm[: held + 1].tolist()
    assert not stopped[held + 1 :].any()
    assert calm[held + 1 :].any()
    assert (confidence[held + 1 :] > 0.0).all()


def test_the_next_test_ends_a_stop(drive: Any, pair: FloatArray) -> None:
    values = VALUES | {"lookback": 200, "refit": 50, "level": 10}
    broken = pair[:700].copy()
    broken[260, 0] *= np.exp(0.3)
    targets, confidence = drive(STRATEGY, broken, values)
    assert not targets[260:299].any()
    assert (confidence[260:299] > 0.0).all()
    assert targets[299:].any()


def test_a_pair_that_falls_apart_is_closed_and_then_left_alone(drive: Any) -> None:
    generator = np.random.default_rng(12)
    b = 4.0 + np.cumsum(generator.normal(0.0, 0.01, 600))
    apart = np.where(np.arange(600) > 300, np.cumsum(generator.normal(0.001, 0.02, 600)), 0.0)
    a = b + generator.normal(0.0, 0.01, 600) + apart - apart[301] * (np.arange(600) > 300)
    values = VALUES | {"lookback": 60, "stop": 20.0, "level": 1}
    targets, confidence = drive(STRATEGY, np.exp(np.column_stack([a, b])), values)
    position = targets[:, 0] != 0.0
    model_lost = np.flatnonzero(position[:-1] & ~position[1:] & (confidence[1:] == 1.0)) + 1
    lost = [int(t) for t in model_lost if (t - 59) % 10 == 0]
    assert lost
    for t in lost[:1]:
        assert confidence[t : t + 10].tolist() == [1.0] * 10
        assert not targets[t : t + 10].any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"level": 2}, "level=2 has no critical value"),
        ({"entry": 1.0, "exit": 1.0}, "out of order"),
        ({"entry": 2.0, "stop": 2.0}, "out of order"),
    ],
)
def test_values_that_make_no_sense_together_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        STRATEGY.vector(values)


def test_total_least_squares_is_the_first_principal_axis(pair: FloatArray) -> None:
    a, b = np.log(pair[:300]).T.copy()
    axis = np.linalg.svd(np.column_stack([a - a.mean(), b - b.mean()]), full_matrices=False)[2][0]
    assert total_slope(np.ascontiguousarray(a), np.ascontiguousarray(b)) == pytest.approx(axis[0] / axis[1], rel=1e-9)
    assert np.isnan(total_slope(np.ones(5), np.arange(5.0)))


@pytest.mark.parametrize("hedge", range(len(HEDGES)), ids=HEDGES)
@pytest.mark.parametrize("test", range(len(TESTS)), ids=TESTS)
def test_every_ratio_and_test_finds_the_pair_and_its_ratio(drive: Any, pair: FloatArray, hedge: int, test: int) -> None:
    values = VALUES | {"lookback": 500, "refit": 50, "hedge": hedge, "test": test, "memory": 2000}
    targets, confidence = drive(STRATEGY, pair, values)
    traded = targets[targets[:, 0] != 0.0]
    assert len(traded) > 50
    assert (confidence[499:] > 0.0).mean() > 0.9
    np.testing.assert_allclose(-traded[:, 1] / traded[:, 0], 0.8, atol=0.12)


@pytest.mark.parametrize("test", range(len(TESTS)), ids=TESTS)
def test_the_models_are_those_of_statsmodels(pair: FloatArray, test: int) -> None:
    agreed = 0
    for start in range(0, 1400, 35):
        a, b = np.log(pair[start : start + 60]).T.copy()
        out = np.zeros(FIT_SIZE)
        found = fit(a, b, 1, 5, 0, test, np.nan, out)
        slope, constant = np.polyfit(b, a, 1)
        if test == 0:
            statistic, _, critical = coint(a, b, trend="c", maxlag=1, autolag=None)
            expected = statistic < critical[1]
        elif test == 1:
            spread = a - constant - slope * b
            result = adfuller(spread, maxlag=1, regression="c", autolag=None, result_object=False)
            expected = result[0] < result[4]["5%"]
        else:
            result = coint_johansen(np.column_stack([a, b]), 0, 1)
            expected = result.lr1[0] > result.cvt[0, 1]
        assert found == (expected and slope > 0.0)
        agreed += found
    assert 0 < agreed < 40


def test_crossing_its_mean_often_does_not_make_a_pair(drive: Any) -> None:
    # Two walks whose difference is a walk too, with noise on top: it crosses its mean often and never returns.
    generator = np.random.default_rng(41)
    walks = generator.normal(0.0, 0.01, (20, 600, 2)).cumsum(axis=1)
    noise = generator.normal(0.0, 0.004, (20, 600))
    for test in range(len(TESTS)):
        votes = []
        for walk, rough in zip(walks, noise, strict=True):
            closes = np.exp(4.0 + np.column_stack([walk[:, 0] + rough, walk[:, 1]]))
            votes.append(drive(STRATEGY, closes, VALUES | {"lookback": 250, "level": 1, "test": test})[1].mean())
        assert np.mean(votes) < 0.15
