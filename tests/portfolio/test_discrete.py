import itertools
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.discrete import AllocationMethod, allocate


def money(value: float) -> Decimal:
    return Decimal(str(round(value, 2)))


def least_misfit(weights: np.ndarray, prices: np.ndarray, capital: float) -> float:
    """Least sum of |wanted - held| over assets and cash by trying every affordable combination of lots."""
    wanted = weights * capital
    ranges = [
        np.arange(0, 2 * capital // price + 1) * np.sign(weight) if weight else np.zeros(1)
        for weight, price in zip(weights, prices, strict=True)
    ]
    held = np.array(list(itertools.product(*ranges))) * prices
    held = held[held.sum(axis=1) <= max(capital, wanted.sum()) + 1e-9]
    return float((np.abs(wanted - held).sum(axis=1) + np.abs((wanted - held).sum(axis=1))).min())


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["long", "partly", "short"]))
def test_the_exact_allocation_is_the_best_of_all(seed: int, kind: str) -> None:
    draws = np.random.default_rng(seed)
    weights = draws.dirichlet(np.ones(3))
    weights *= {"long": 1.0, "partly": 0.7, "short": draws.choice([-1.0, 1.0], 3) * 1.3}[kind]
    prices = [money(price) for price in draws.uniform(40, 400, 3)]
    found = allocate(weights, prices, Decimal(1000))
    best = least_misfit(weights, np.array([float(price) for price in prices]), 1000.0)
    assert float(found.misfit) == pytest.approx(best, abs=1e-5)
    assert float(found.bound) == pytest.approx(best, rel=1e-5, abs=1e-5)
    assert found.bound <= found.misfit


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1), assets=st.integers(1, 12), shorts=st.booleans(),
    method=st.sampled_from(["greedy", "exact"]),
)  # fmt: skip
def test_lots_and_cash_are_exactly_the_capital_and_no_more_is_spent(
    seed: int, assets: int, shorts: bool, method: AllocationMethod
) -> None:
    draws = np.random.default_rng(seed)
    weights = draws.dirichlet(np.ones(assets)) * draws.uniform(0.2, 1.6)
    weights *= draws.choice([-1.0, 1.0], assets) if shorts else 1.0
    prices = [money(price) for price in draws.uniform(1, 300, assets)]
    sizes = [Decimal(str(size)) for size in draws.choice([1, 0.1, 10], assets)]
    capital = money(draws.uniform(500, 50_000))
    found = allocate(weights, prices, capital, lot_sizes=sizes, method=method, seconds=0.2)
    values = [int(lot) * price * size for lot, price, size in zip(found.lots, prices, sizes, strict=True)]
    assert sum(values) + found.cash == capital
    assert (found.lots * weights >= 0).all()
    borrowed = max(0.0, float(weights.sum()) - 1.0) * float(capital)
    assert float(found.cash) >= -borrowed - 1e-6
    np.testing.assert_allclose(found.weights, np.array(values, dtype=float) / float(capital), rtol=1e-9, atol=1e-12)
    gaps = weights * float(capital) - np.array(values, dtype=float)
    assert float(found.misfit) == pytest.approx(np.abs(gaps).sum() + abs(gaps.sum()), abs=1e-5)


def test_the_exact_allocation_is_better_than_the_greedy_one() -> None:
    draws = np.random.default_rng(3)
    weights, prices = draws.dirichlet(np.ones(15)), [money(price) for price in draws.uniform(20, 400, 15)]
    exact, greedy = (allocate(weights, prices, Decimal(20_000), method=m) for m in ("exact", "greedy"))
    assert exact.misfit < greedy.misfit
    assert greedy.bound == 0


def test_weights_that_lots_can_hold_are_held_without_rest() -> None:
    found = allocate([0.5, -0.25], [Decimal(50), Decimal("12.5")], Decimal(1000), method="greedy")
    assert found.lots.tolist() == [10, -20]
    assert (found.cash, found.misfit) == (Decimal(750), 0)


def test_shorts_that_round_away_do_not_leave_the_account_in_debt() -> None:
    for method in ("greedy", "exact"):
        found = allocate([1.9, -0.9], [Decimal(10), Decimal(700)], Decimal(1000), method=method)  # type: ignore[arg-type]
        assert found.cash >= 0


def test_bad_requests_are_refused() -> None:
    with pytest.raises(RiskError, match="Known: greedy, exact"):
        allocate([1.0], [Decimal(1)], Decimal(1), method="best")  # type: ignore[arg-type]
    with pytest.raises(RiskError, match="Capital 0"):
        allocate([1.0], [Decimal(1)], Decimal(0))
    with pytest.raises(RiskError, match="Capital NaN"):
        allocate([1.0], [Decimal(1)], Decimal("NaN"))
    with pytest.raises(RiskError, match="Asset 1 has price 0"):
        allocate([0.5, 0.5], [Decimal(1), Decimal(0)], Decimal(10))
    with pytest.raises(RiskError, match="1 lot sizes for 2 assets"):
        allocate([0.5, 0.5], [Decimal(1), Decimal(2)], Decimal(10), lot_sizes=[Decimal(1)])
    with pytest.raises(RiskError, match="not a whole number of 1e-8"):
        allocate([1.0], [Decimal("0.000000001")], Decimal(10))
    with pytest.raises(RiskError, match="Weights have shape"):
        allocate([1.0], [Decimal(1), Decimal(2)], Decimal(10))
    with pytest.raises(RiskError, match="larger unit"):
        allocate([1.0], [Decimal(1)], Decimal(10) ** 12)
    with pytest.raises(RiskError, match="larger unit"):
        allocate([1e7, -1e7], [Decimal(1), Decimal(1)], Decimal(10) ** 3)
