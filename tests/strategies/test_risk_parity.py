from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from nt_ray.strategies.risk_parity import STRATEGY, equal_contribution
from nt_ray.types import FloatArray

VALUES = {"window": 60, "rebalance": 10, "shrink": 0.0}


def covariance_at(closes: FloatArray, row: int, shrink: float = 0.0) -> FloatArray:
    returns = np.diff(np.log(closes[row - 60 : row + 1]), axis=0)
    matrix = np.cov(returns.T, bias=True)
    return np.where(np.eye(5, dtype=bool), matrix, (1.0 - shrink) * matrix)


def test_equal_contribution_is_the_minimum_of_its_convex_form(group: FloatArray) -> None:
    matrix = covariance_at(group, 400)
    scaled = matrix / np.trace(matrix)

    def value(weights: Any) -> float:
        return float(0.5 * weights @ scaled @ weights - np.log(weights).sum())

    best = minimize(value, np.full(5, 2.0), bounds=[(1e-6, None)] * 5, tol=1e-14).x
    np.testing.assert_allclose(equal_contribution(matrix), best / best.sum(), rtol=1e-4)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 8))
def test_every_symbol_contributes_the_same(seed: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(size, size)) * generator.uniform(0.01, 1.0, (size, 1))
    matrix = root @ root.T + 1e-2 * np.diag(np.diag(root @ root.T))
    weights = equal_contribution(np.ascontiguousarray(matrix))
    shares = weights * (matrix @ weights) / (weights @ matrix @ weights)
    assert (weights > 0.0).all()
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(shares, 1.0 / size, rtol=1e-6)


@pytest.mark.parametrize("units", [0, 1])
@pytest.mark.parametrize("shrink", [0.0, 0.5])
def test_its_targets_are_the_weights_of_the_window(drive: Any, group: FloatArray, units: int, shrink: float) -> None:
    values = VALUES | {"units": units, "shrink": shrink}
    targets, confidence = drive(STRATEGY, group[:200], values)
    assert confidence.tolist() == [0.0] * 60 + [1.0] * 140
    for row in (60, 70, 190):
        matrix = covariance_at(group, row, shrink)
        weights = equal_contribution(np.ascontiguousarray(matrix))
        expected = weights if units else weights * np.sqrt(np.diag(matrix))
        np.testing.assert_allclose(targets[row], expected / expected.max(), rtol=1e-6)
        assert targets[row + 9].tobytes() == targets[row].tobytes()


def test_inverse_volatility_is_one_risk_each(drive: Any, group: FloatArray) -> None:
    targets, _ = drive(STRATEGY, group[:80], VALUES | {"method": 0})
    np.testing.assert_allclose(targets[60:], 1.0, rtol=1e-12)
    weights, _ = drive(STRATEGY, group[:80], VALUES | {"method": 0, "units": 1})
    expected = 1.0 / np.sqrt(np.diag(covariance_at(group, 60)))
    np.testing.assert_allclose(weights[60], expected / expected.max(), rtol=1e-9)


def test_a_symbol_that_stands_still_is_no_risk_to_share(drive: Any, group: FloatArray) -> None:
    still = group[:100].copy()
    still[:, 2] = 5.0
    targets, confidence = drive(STRATEGY, still, VALUES)
    assert not confidence.any()
    assert not targets.any()
