"""Maker rebates: exact in whole quanta, and in the books of a run."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nt_ray.backtest.event.market import FeeTier, Market, Terms
from nt_ray.backtest.event.market_table import market_of
from nt_ray.backtest.event.python_strategy import Context, PythonStrategy
from nt_ray.backtest.event.result import EventResult
from nt_ray.backtest.event.simulate import simulate_python
from nt_ray.brokers.simulated.impact import rebated
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel, Instrument

CENT = Decimal("0.01")
CASH = Decimal(10_000)
COSTS = Costs(
    commission_bps=Decimal(5), commission_minimum=Decimal(1), slippage_bps=Decimal(0), volume_share=Decimal(1)
)


@given(st.integers(0, 10**17), st.integers(1, 10**6), st.integers(1, 10**6 - 1), st.integers(0, 10**7))
@example(5 * 10**9, 1, 100, 0)  # Half a cent.
@example(10**6 + 1, 1, 1, 500_001)  # Half a cent less a part of a quantum.
def test_a_rebate_is_what_exact_decimals_make_of_it(notional: int, lots: int, ppm: int, per_lot: int) -> None:
    fee = (Decimal(lots * per_lot) - Decimal(notional) * ppm / 1_000_000).scaleb(-8)
    assert rebated(notional, lots, ppm, per_lot) == int(fee.quantize(CENT, ROUND_HALF_UP).scaleb(8))


class QuoteThenLeave(PythonStrategy):
    """Buys by a limit order that rests, then sells at the market."""

    def on_bar(self, context: Context) -> None:
        if context.row == 0:
            context.buy("ONE", 10, limit="99", tif="gtc")
        if context.row == 3:
            context.sell("ONE", 10)


def traded(terms: Terms, tiers: tuple[FeeTier, ...] = ()) -> EventResult:
    prices = np.array([100.0, 100.0, 98.0, 100.0, 101.0])
    values = np.repeat(prices[:, None, None], 5, axis=2)
    values[:, :, 4] = 1e6
    panel = BarPanel((Instrument("ONE"),), np.arange(5, dtype=np.int64) * 86_400_000_000_000, values)
    return simulate_python(panel, QuoteThenLeave(), market=Market(terms=terms, fee_tiers=tiers), initial_cash=CASH)


def test_an_order_that_rested_is_paid_and_one_that_takes_pays() -> None:
    result = traded(Terms(costs=COSTS, maker_bps=Decimal("-2.5")))
    fills = result.fill_table()
    assert fills["maker"].to_list() == [True, False]
    bought, sold = (Decimal(str(p)) * 10 for p in fills["price"].to_list())
    rebate = (bought * Decimal("0.00025")).quantize(CENT, ROUND_HALF_UP)
    assert fills["commission"].to_list() == [-rebate, Decimal(1)]
    assert int(result.cash_quanta[-1]) == int((CASH - bought + rebate + sold - Decimal(1)).scaleb(8))
    assert result.unexplained == 0


def test_an_order_has_its_own_fee_beside_the_rebate_and_tiers_may_pay_too() -> None:
    terms = Terms(costs=COSTS, maker_bps=Decimal(3), fee_per_order=Decimal("0.10"))
    fills = traded(terms, (FeeTier(Decimal(0), Decimal(4), Decimal(-100)),)).fill_table()
    bought = Decimal(str(fills["price"][0])) * 10
    assert fills["commission"][0] == Decimal("0.10") - (bought / 100).quantize(CENT, ROUND_HALF_UP)


def test_a_market_written_down_may_pay_makers_and_never_takers() -> None:
    panel = BarPanel((Instrument("ONE"),), np.arange(2, dtype=np.int64), np.full((2, 1, 5), 100.0))
    _, market = market_of({"terms": {"maker_bps": Decimal("-0.2")}}, panel, COSTS)
    assert isinstance(market.terms, Terms)
    assert market.terms.maker_bps == Decimal("-0.2")
    with pytest.raises(BadInputError, match="without negative rates of takers"):
        Market(fee_tiers=(FeeTier(Decimal(0), Decimal(-1), Decimal(-2)),)).tape(panel)
    with pytest.raises(BadInputError, match="10000 bps or more"):
        Market(fee_tiers=(FeeTier(Decimal(0), Decimal(1), Decimal(-10_000)),)).tape(panel)
