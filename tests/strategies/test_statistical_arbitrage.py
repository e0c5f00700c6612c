from typing import Any

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnoncrit
from statsmodels.tsa.stattools import coint

from nt_ray.market.source import load_panel
from nt_ray.strategies.basket import DEVIATION, FIT_SIZE, MEAN, WEIGHTS, critical_value, fit
from nt_ray.strategies.statistical_arbitrage import STRATEGY
from nt_ray.types import FloatArray

VALUES = {"lookback": 100, "refit": 10, "level": 5, "entry": 1.5, "exit": 0.25, "stop": 4.0, "lags": 1}


def fitted(logs: FloatArray, method: int = 0, level: int = 5) -> tuple[bool, FloatArray]:
    out = np.zeros(FIT_SIZE)
    return fit(np.ascontiguousarray(logs), 1, level, method, out), out


def test_the_model_and_its_test_are_statsmodels(group: FloatArray) -> None:
    verdicts = []
    real = load_panel("sp500").closes[:250, :5]
    for logs in [*(np.log(group[s : s + 100]) for s in range(0, 1400, 100)), np.log(real)]:
        found, out = fitted(logs)
        design = np.column_stack([logs[:, 1:], np.ones(len(logs))])
        solution = np.linalg.lstsq(design, logs[:, 0])[0]
        np.testing.assert_allclose(out[WEIGHTS:], solution[:4], rtol=1e-6)
        assert out[MEAN] == pytest.approx(solution[4], rel=1e-6)
        assert out[DEVIATION] == pytest.approx((logs[:, 0] - design @ solution).std(), rel=1e-6)
        statistic, _, critical = coint(logs[:, 0], logs[:, 1:], trend="c", maxlag=1, autolag=None)
        assert found == (statistic < critical[1])
        verdicts.append(found)
    assert {True, False} == set(verdicts)


@pytest.mark.parametrize("observations", [59, 250, 5000])
def test_critical_values_are_mackinnons(observations: int) -> None:
    expected = mackinnoncrit(N=5, regression="c", nobs=observations)
    for level, value in zip((1, 5, 10), expected, strict=True):
        assert critical_value(level, observations) == pytest.approx(value, rel=1e-9)
    assert np.isnan(critical_value(2, observations))


def test_the_principal_portfolio_is_numpys(group: FloatArray) -> None:
    logs = np.log(group[200:400])
    returns = np.diff(logs, axis=0)
    correlation = np.corrcoef(returns[:, 1:].T)
    loading = np.linalg.eigh(correlation)[1][:, -1]
    weights = loading / returns[:, 1:].std(axis=0)
    factor = returns[:, 1:] @ weights
    beta = np.cov(returns[:, 0], factor)[0, 1] / factor.var(ddof=1)
    np.testing.assert_allclose(fitted(logs, method=1)[1][WEIGHTS:], beta * weights, rtol=1e-4)


def reference(closes: FloatArray) -> tuple[list[float], list[bool]]:
    """Positions in the spread of the rule for `VALUES` and whether it votes, by statsmodels and numpy."""
    logs = np.log(closes)
    positions, votes = [], []
    position, valid, stopped, closing, weights, mean, sd = 0, False, False, False, np.zeros(4), 0.0, 1.0
    for t in range(len(logs)):
        if t >= 99:
            if (t - 99) % 10 == 0:
                seen = logs[t - 99 : t + 1]
                statistic, _, critical = coint(seen[:, 0], seen[:, 1:], trend="c", maxlag=1, autolag=None)
                solution = np.linalg.lstsq(np.column_stack([seen[:, 1:], np.ones(100)]), seen[:, 0])[0]
                weights, mean = solution[:4], solution[4]
                sd = (seen[:, 0] - seen[:, 1:] @ weights - mean).std()
                valid, stopped = statistic < critical[1], False
                closing = not valid and position != 0
            if not valid:
                position = 0
            else:
                z = (logs[t, 0] - logs[t, 1:] @ weights - mean) / sd
                if abs(z) > 4.0:
                    stopped, position = True, 0
                elif position * z >= -0.25:
                    position = 0
                if position == 0 and not stopped and abs(z) > 1.5:
                    position = -int(np.sign(z))
        positions.append(position / max(1.0, np.abs(weights).max()))
        votes.append(bool(valid or closing))
    return positions, votes


def test_it_follows_its_rule(drive: Any, group: FloatArray) -> None:
    targets, confidence = drive(STRATEGY, group[:900], VALUES)
    positions, votes = reference(group[:900])
    np.testing.assert_allclose(targets[:, 0], positions, rtol=1e-6, atol=1e-12)
    assert (confidence > 0.0).tolist() == votes
    assert {-1.0, 0.0, 1.0} == set(np.sign(targets[:, 0]).tolist())


def test_independent_walks_are_hardly_traded(drive: Any) -> None:
    walks = np.random.default_rng(9).normal(0.0, 0.01, (10, 800, 5)).cumsum(axis=1)
    active = [(drive(STRATEGY, np.exp(4.0 + w), VALUES | {"level": 1})[0][:, 0] != 0.0).mean() for w in walks]
    assert np.mean(active) < 0.03


def test_symbols_that_explain_each_other_give_no_model(drive: Any, group: FloatArray) -> None:
    twins = group[:300].copy()
    twins[:, 2] = 2.0 * twins[:, 1]
    targets, confidence = drive(STRATEGY, twins, VALUES)
    assert not targets.any()
    assert not confidence.any()
