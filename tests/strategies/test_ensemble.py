from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from nt_ray.errors import StrategyError
from nt_ray.strategies import mean_reversion, momentum
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.ensemble import STRATEGY
from nt_ray.types import FloatArray

VALUES: dict[str, float] = {
    "lookback": 30, "skip": 2, "window": 10, "fast": 5, "slow": 40, "short": 1, "memory": 50, "vol_window": 20,
    "full": 0.05, "momentum": 2.0, "reversion": 1.0, "trend": 1.5,
}  # fmt: skip
WEIGHTS = np.array([2.0, 1.0, 1.5])


@pytest.fixture(scope="module")
def series() -> FloatArray:
    generator = np.random.default_rng(19)
    drift = np.repeat(generator.normal(0.0, 0.004, 16), 50)
    return 40.0 * np.exp(np.cumsum(drift + generator.normal(0.0, 0.01, 800)))


def members(drive: Any, closes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Targets and confidences of the three members, (T, 3) each."""
    first = drive(momentum.STRATEGY, closes, {"lookback": 30, "skip": 2, "short": 1})
    second = drive(mean_reversion.STRATEGY, closes, {"window": 10, "short": 1})
    trend, trust = np.zeros((len(closes), 1)), np.zeros(len(closes))
    fast = sliding_window_view(closes, 5).mean(axis=1)[35:]
    slow = sliding_window_view(closes, 40).mean(axis=1)
    trend[39:, 0] = np.sign(fast - slow)
    trust[39:] = [conviction(t, 100.0 * (f / s - 1.0)) for t, f, s in zip(trend[39:, 0], fast, slow, strict=True)]
    return np.hstack([first[0], second[0], trend]), np.column_stack([first[1], second[1], trust])


def test_weighted_is_the_mean_by_weight_and_confidence(drive: Any, series: FloatArray) -> None:
    targets, confidence = drive(STRATEGY, series, VALUES)
    said, trust = members(drive, series)
    spoken = (trust * WEIGHTS).sum(axis=1)
    expected = np.divide((said * trust * WEIGHTS).sum(axis=1), spoken, out=np.zeros(800), where=spoken > 0.0)
    np.testing.assert_allclose(targets[:, 0], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(confidence, spoken / 4.5, rtol=1e-9)


@pytest.mark.parametrize("agreement", [0.5, 0.6, 1.0])
def test_majority_needs_its_share(drive: Any, series: FloatArray, agreement: float) -> None:
    targets, confidence = drive(STRATEGY, series, VALUES | {"method": 1, "agreement": agreement})
    said, trust = members(drive, series)
    expected, shares = [], []
    for x, c in zip(said, trust, strict=True):
        heard = c > 0.0
        sides = {s: WEIGHTS[heard & (np.sign(x) == s)].sum() for s in (-1.0, 0.0, 1.0)}
        total = sum(sides.values())
        best = max((-1.0, 1.0), key=lambda s: sides[s])
        wins = total > 0.0 and sides[best] >= agreement * total and sides[1.0] != sides[-1.0]
        expected.append(best if wins else 0.0)
        shares.append(max(sides.values()) / total if total else 0.0)
    assert targets[:, 0].tolist() == expected
    np.testing.assert_allclose(confidence, shares, rtol=1e-12)
    assert len(set(expected)) == 3


def test_stacking_is_weighted_ridge_regression_on_the_past(drive: Any, series: FloatArray) -> None:
    targets, confidence = drive(STRATEGY, series, VALUES | {"method": 2})
    said, trust = members(drive, series)
    heard = np.where(trust > 0.0, said, 0.0)
    returns = np.diff(np.log(series))
    first = 20 + 50
    assert not confidence[:first].any()
    for t in range(first, 800, 61):
        # Outcome of bar s is the return to s + 1 in volatilities known at s.
        bars = np.arange(20, t)
        outcomes = np.clip([returns[s] / returns[s - 20 : s].std() for s in bars], -5.0, 5.0)
        ages = 0.5 * np.log(1.0 - 1.0 / 50.0) * (t - 1 - bars)
        root = np.exp(ages)[:, None]
        x = np.vstack([heard[bars] * root, np.eye(3)])
        y = np.concatenate([outcomes * root[:, 0], np.zeros(3)])
        prediction = heard[t] @ np.linalg.lstsq(x, y)[0]
        assert targets[t, 0] == pytest.approx(np.clip(prediction / 0.05, -1.0, 1.0), rel=1e-6, abs=1e-9)
        assert confidence[t] == pytest.approx(conviction(float(targets[t, 0]), prediction / 0.05), rel=1e-6)


def test_stacking_learns_which_member_is_right(drive: Any) -> None:
    # Long trends: following them pays, and betting on their return does not.
    generator = np.random.default_rng(23)
    drift = np.repeat(np.tile([0.004, -0.004], 8), 150)
    closes = 40.0 * np.exp(np.cumsum(drift + generator.normal(0.0, 0.01, 2400)))
    targets, _ = drive(STRATEGY, closes, VALUES | {"method": 2, "memory": 300})
    earned = targets[1000:-1, 0] * np.diff(np.log(closes))[1000:]
    assert earned.mean() / earned.std() * np.sqrt(252.0) > 2.0


def test_long_only_never_sells(drive: Any, series: FloatArray) -> None:
    for method in range(3):
        assert drive(STRATEGY, series, VALUES | {"method": method, "short": 0})[0].min() >= 0.0


@pytest.mark.parametrize(
    ("values", "message"),
    [({"fast": 100}, "fast=100 is not below slow=100"), ({"momentum": 0, "reversion": 0, "trend": 0}, "all weigh 0")],
)
def test_values_that_make_no_sense_together_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        STRATEGY.vector(values)
