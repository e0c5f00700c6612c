from typing import Any

import numpy as np
import pytest

from nt_ray.strategies.mirror import STRATEGY
from nt_ray.types import FloatArray

SMALL = {"window": 8, "lookback": 40, "neighbours": 3, "horizon": 4, "similarity": 0.7, "min_confidence": 0.3}


def wave(bars: int, period: int = 16, size: float = 0.05) -> FloatArray:
    """Closes that repeat themselves exactly, rising in the first half of each period."""
    phase = np.tile(np.arange(period), bars // period + 1)[:bars]
    return np.exp(size * np.sin(2.0 * np.pi * phase / period) + 0.3 * size * np.cos(4.0 * np.pi * phase / period))


def warped(a: FloatArray, b: FloatArray, band: int) -> float:
    """Dynamic time warping by its recursion over the full table."""
    n = len(a)
    cost = np.full((n, n), np.inf)
    for i in range(n):
        for j in range(n):
            if abs(i - j) <= band:
                steps = [cost[x, y] for x, y in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if x >= 0 and y >= 0]
                cost[i, j] = (a[i] - b[j]) ** 2 + (min(steps) if steps else 0.0)
    return float(1.0 - cost[-1, -1] / (2 * n))


def shape(values: FloatArray) -> FloatArray:
    return (values - values.mean()) / values.std()


def belief(logs: FloatArray, v: dict[str, float]) -> tuple[float, float]:
    """Forecast and confidence at the last of these log closes, by search over all past windows."""
    length, horizon = int(v["window"]), int(v["horizon"])
    last, present = len(logs) - 1, logs[-length:]
    found: list[tuple[int, float, float]] = []
    scored = []
    for end in range(last - horizon - int(v["lookback"]) + 1, last - horizon + 1):
        past = logs[end - length + 1 : end + 1]
        if v["warp"]:
            alike = warped(shape(present), shape(past), int(v["band"]))
        else:
            alike = float(np.corrcoef(present, past)[0, 1])
        scored.append((alike, end))
    for alike, end in sorted(scored, reverse=True):
        apart = all(abs(end - e) >= horizon for e, _, _ in found)
        if alike >= v["similarity"] and len(found) < v["neighbours"] and apart:
            found.append((end, alike, logs[end + horizon] - logs[end]))
    if not found:
        return 0.0, 0.0
    s, r = np.array([f[1] for f in found]), np.array([f[2] for f in found])
    agreement = abs((s * r).sum()) / (s * np.abs(r)).sum()
    return (s * r).sum() / s.sum(), agreement * s.mean() * len(found) / v["neighbours"]


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize(("warp", "band"), [(0, 0), (1, 0), (1, 2)])
def test_it_does_what_the_nearest_past_patterns_say(
    drive: Any, bars: FloatArray, short: int, warp: int, band: int
) -> None:
    values = SMALL | {"warp": warp, "band": band, "short": short}
    closes = np.ascontiguousarray(bars[:260, 3])
    logs, position, held, confidence = np.log(closes), 0, 0, 0.0
    expected, confidences = [], []
    for t in range(len(closes)):
        if t + 1 >= 8 + 40 + 4 - 1:
            held += 1
            if position == 0 or held >= 4:
                forecast, sure = belief(logs[: t + 1], values)
                side = int(np.sign(forecast)) if sure >= 0.3 else 0
                position, held = side if side > 0 or short else 0, 0
                confidence = max(sure if position else 1.0 - sure, 0.01)
        expected.append(float(position))
        confidences.append(confidence)
    targets, found = drive(STRATEGY, closes, values)
    assert targets.ravel().tolist() == expected
    np.testing.assert_allclose(found, confidences, rtol=1e-7)
    assert set(expected) == ({-1.0, 0.0, 1.0} if short else {0.0, 1.0})


@pytest.mark.parametrize("warp", [0, 1])
def test_a_pattern_that_repeats_itself_is_known_for_certain(drive: Any, warp: int) -> None:
    series = wave(240)
    values = {"window": 16, "horizon": 4, "warp": warp, "short": 1, "similarity": 0.99, "lookback": 120}
    targets, confidence = drive(STRATEGY, series, values)
    decided = np.flatnonzero(np.diff(targets.ravel(), prepend=0.0))
    assert len(decided) > 5
    np.testing.assert_allclose(confidence[decided], 1.0, rtol=1e-9)
    for t in decided:
        assert targets[t, 0] == np.sign(series[(t + 4) % 16] - series[t % 16])


def test_neither_the_level_nor_the_size_of_a_pattern_counts(drive: Any, bars: FloatArray) -> None:
    logs = np.log(bars[:300, 3])
    targets, confidence = drive(STRATEGY, np.exp(logs), SMALL)
    for changed in (logs + 5.0, 2.0 * logs, 0.25 * logs - 1.0):
        same_targets, same_confidence = drive(STRATEGY, np.exp(changed), SMALL)
        assert same_targets.tolist() == targets.tolist()
        np.testing.assert_allclose(same_confidence, confidence, rtol=1e-6)
    assert targets.any()


def test_only_windows_whose_sequel_is_over_are_asked(drive: Any) -> None:
    # The first bar with an answer is the last of each series. Its one like pattern ends three bars before it.
    values = {"window": 3, "lookback": 1, "neighbours": 1, "similarity": 0.9, "min_confidence": 0.1}
    rising = np.exp([0.06, 0.02, 0.11, 0.56, 0.52, 0.61])
    targets, confidence = drive(STRATEGY, rising, values | {"horizon": 3})
    assert confidence.tolist() == [0.0] * 5 + [pytest.approx(1.0)]
    assert targets[-1, 0] == 1.0
    # With a horizon of four its sequel is not over; the window asked ends one bar earlier and is another shape.
    targets, confidence = drive(STRATEGY, np.concatenate([[1.3], rising]), values | {"horizon": 4})
    assert confidence.tolist() == [0.0] * 6 + [1.0]
    assert targets[-1, 0] == 0.0


def test_it_abstains_until_every_window_is_there(drive: Any, bars: FloatArray) -> None:
    _, confidence = drive(STRATEGY, np.ascontiguousarray(bars[:200, 3]))
    assert np.flatnonzero(confidence)[0] == 20 + 100 + 5 - 2


def test_a_price_that_stands_still_has_no_pattern(drive: Any) -> None:
    targets, confidence = drive(STRATEGY, np.full(120, 0.1), SMALL | {"short": 1})
    assert not targets.any()
    assert confidence[-1] == 1.0
