from typing import Any

import numpy as np
import pytest
from scipy.stats import zscore

from nt_ray.errors import StrategyError
from nt_ray.strategies.conviction import conviction
from nt_ray.strategies.multi_factor import STRATEGY
from nt_ray.types import FloatArray

VALUES = {"lookback": 40, "skip": 5, "long": 100, "calm": 20, "rebalance": 10, "scale": 1.5}


@pytest.mark.parametrize("weights", [(0.4, 0.3, 0.3), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_it_ranks_by_the_factors_of_the_formula(
    drive: Any, group: FloatArray, weights: tuple[float, float, float]
) -> None:
    values = VALUES | dict(zip(("momentum", "value", "quality"), weights, strict=True))
    targets, confidence = drive(STRATEGY, group[:300], values)
    logs = np.log(group)
    assert not confidence[:100].any()
    for t in range(100, 300, 10):
        momentum = logs[t - 5] - logs[t - 45]
        value = -(logs[t - 45] - logs[t - 100])
        quality = -np.diff(logs[t - 20 : t + 1], axis=0).std(axis=0)
        composite = sum(w * zscore(f) for w, f in zip(weights, (momentum, value, quality), strict=True))
        final = zscore(composite)
        np.testing.assert_allclose(targets[t], np.clip(final / 1.5, -1.0, 1.0), rtol=1e-7)
        assert confidence[t] == pytest.approx(conviction(1.0, np.ptp(final)))
        assert targets[t + 9].tobytes() == targets[t].tobytes()


def test_without_shorts_what_ranks_low_is_left_out(drive: Any, group: FloatArray) -> None:
    both, _ = drive(STRATEGY, group[:300], VALUES)
    long, _ = drive(STRATEGY, group[:300], VALUES | {"short": 0})
    np.testing.assert_array_equal(long, np.maximum(both, 0.0))


def test_symbols_that_are_all_alike_give_no_targets(drive: Any) -> None:
    same = np.exp(np.random.default_rng(1).normal(0.0, 0.01, 200).cumsum())
    targets, _ = drive(STRATEGY, np.repeat(same[:, None], 5, axis=1), VALUES)
    assert not targets.any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lookback": 400, "long": 410}, "does not reach beyond"),
        ({"calm": 900}, "does not reach beyond"),
        ({"momentum": 0, "value": 0, "quality": 0}, "all weigh 0"),
    ],
)
def test_values_that_make_no_sense_together_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        STRATEGY.vector(values)
