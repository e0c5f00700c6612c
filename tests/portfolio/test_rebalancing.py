from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.rebalancing import Bands, Costs, rebalance

PRICES = [Decimal(10), Decimal(20), Decimal(50)]


def test_only_what_left_its_band_is_traded_to_the_target() -> None:
    """Values 5,600 / 2,900 / 1,500 of 10,000: only the first is more than 5 points from its target."""
    plan = rebalance([0.5, 0.3, 0.2], [560, 145, 30], PRICES, Decimal(0), Bands(absolute=0.055))
    assert plan.breached.tolist() == [True, False, False]
    assert plan.orders.tolist() == [-60, 0, 0]
    assert plan.cash == Decimal(600)
    assert plan.turnover == pytest.approx(0.06)
    np.testing.assert_allclose(plan.drifts, [0.06, -0.01, -0.05])
    np.testing.assert_allclose(plan.weights, [0.5, 0.29, 0.15])


def test_to_the_edge_trades_less() -> None:
    plan = rebalance([0.5, 0.3, 0.2], [560, 145, 30], PRICES, Decimal(0), Bands(absolute=0.05, to="edge"))
    assert plan.orders.tolist() == [-10, 0, 0]


def test_the_narrower_width_counts() -> None:
    """The 5/25 rule: 5 points for large targets, a quarter of the target for small ones."""
    widths = Bands(absolute=0.05, relative=0.25).widths(np.array([0.5, 0.2, 0.04, 0.0, -0.1]))
    np.testing.assert_allclose(widths, [0.05, 0.05, 0.01, 0.0, 0.025])
    each = Bands(absolute=np.array([0.01, np.inf]), relative=np.array([np.inf, 0.5])).widths(np.array([0.0, 0.2]))
    np.testing.assert_allclose(each, [0.01, 0.1])


def test_costs_are_counted_for_each_order_and_rounded_up() -> None:
    costs = Costs(rate=Decimal("0.001"), fixed=Decimal(1))
    plan = rebalance([0.5, 0.0], [0, 50], [Decimal(10), Decimal(20)], Decimal(1000), Bands(absolute=0.0), costs=costs)
    assert plan.orders.tolist() == [100, -50]
    assert plan.cost == Decimal("4")
    assert plan.cash == Decimal(1000) - 1000 + 1000 - 4
    assert Costs(rate=Decimal("0.000000001")).of(np.array([100_000_000, 0, -5])) == 2


def test_a_small_order_is_left_out() -> None:
    plan = rebalance(
        [0.5, 0.5], [51, 49], [Decimal(10), Decimal(10)], Decimal(0), Bands(absolute=0.0), least_trade=Decimal(11)
    )
    assert plan.breached.all()
    assert not plan.orders.any()


def test_purchases_are_cut_to_the_cash_that_is_there() -> None:
    plan = rebalance(
        [0.6, 0.6], [0, 0], [Decimal(10), Decimal(10)], Decimal(1000), Bands(absolute=0.0), keep_cash=Decimal(100)
    )
    assert plan.orders.tolist() == [45, 45]
    assert 45 / 60 <= plan.cut < 46 / 60
    assert plan.cash == 100


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1), assets=st.integers(1, 6), to=st.sampled_from(["target", "edge"]),
    width=st.sampled_from([0.0, 0.02, 0.1]), rate=st.sampled_from(["0", "0.0007", "0.02"]),
)  # fmt: skip
def test_money_is_kept_and_positions_end_within_their_bands(
    seed: int, assets: int, to: str, width: float, rate: str
) -> None:
    draws = np.random.default_rng(seed)
    targets = draws.dirichlet(np.ones(assets + 1))[:assets]
    prices = [Decimal(str(round(price, 2))) for price in draws.uniform(1, 50, assets)]
    lots = draws.integers(0, 400, assets)
    cash = Decimal(str(round(draws.uniform(100, 5000), 2)))
    costs = Costs(rate=Decimal(rate))
    bands = Bands(absolute=width, to=to)  # type: ignore[arg-type]
    plan = rebalance(targets, lots, prices, cash, bands, costs=costs)
    equity = cash + sum(int(lot) * price for lot, price in zip(lots, prices, strict=True))
    after = sum(int(lot) * price for lot, price in zip(lots + plan.orders, prices, strict=True))
    assert after + plan.cash + plan.cost == equity
    assert plan.cash >= 0
    assert not plan.orders[~plan.breached].any()
    values = np.array([float(price) for price in prices]) / float(equity)
    weights = (lots + plan.orders) * values
    if plan.cut == 1.0:
        assert (np.abs(weights - targets) <= width + 0.5 * values + 1e-9).all()
    assert (np.sign(plan.orders) * (targets - lots * values) >= 0).all()


def test_bad_requests_are_refused() -> None:
    with pytest.raises(RiskError, match="never trades"):
        Bands()
    with pytest.raises(RiskError, match="absolute band -1"):
        Bands(absolute=-1.0)
    with pytest.raises(RiskError, match="'middle'"):
        Bands(absolute=0.1, to="middle")  # type: ignore[arg-type]
    with pytest.raises(RiskError, match="negative"):
        Costs(rate=Decimal(-1))
    with pytest.raises(RiskError, match="Equity is -10"):
        rebalance([1.0], [0], [Decimal(1)], Decimal(-10), Bands(absolute=0.1))
    with pytest.raises(RiskError, match="whole numbers"):
        rebalance([1.0], [0.5], [Decimal(1)], Decimal(10), Bands(absolute=0.1))
    with pytest.raises(RiskError, match="Lots have shape"):
        rebalance([1.0], [1, 2], [Decimal(1)], Decimal(10), Bands(absolute=0.1))
    with pytest.raises(RiskError, match="larger unit"):
        rebalance([1.0], [10**15], [Decimal(100)], Decimal(10), Bands(absolute=0.1))
    with pytest.raises(RiskError, match="would cost 200, all of the equity"):
        rebalance([0.0], [100], [Decimal(1)], Decimal(0), Bands(absolute=0.1), costs=Costs(fixed=Decimal(200)))
