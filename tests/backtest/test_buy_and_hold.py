from decimal import Decimal

import numpy as np
import pytest

from nt_ray.backtest.buy_and_hold import buy_and_hold
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import BadInputError, MarketDataError
from nt_ray.market.bars import BarPanel, Instrument

FREE = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
NAN = float("nan")


def panel(closes: list[list[float]], **changes: object) -> BarPanel:
    values = np.full((len(closes), len(closes[0]), 5), np.nan)
    values[:, :, 3] = closes
    instruments = tuple(
        Instrument(f"S{i}", Decimal("0.01"), close_only=True, **changes)  # type: ignore[arg-type]
        for i in range(len(closes[0]))
    )
    return BarPanel(instruments, np.arange(len(closes), dtype=np.int64) * 86_400_000_000_000, values)


def money(quanta: object) -> list[float]:
    return [float(q) / 1e8 for q in quanta]  # type: ignore[attr-defined]


def test_equal_money_buys_whole_lots_on_the_second_bar() -> None:
    # 500 each: 50 of the first at 10, 16 of the second at 30; bought at 11 and 31, cash left -46.
    bars = panel([[10.0, 30.0], [11.0, 31.0], [12.0, 33.0]])
    assert money(buy_and_hold(bars, FREE, Decimal(1000))) == [1000.0, 1000.0, 1000.0 + 50.0 + 32.0]


def test_costs_are_paid_once() -> None:
    costs = Costs(Decimal(0), Decimal("0.01"), Decimal(2), Decimal(100), Decimal(1))
    bars = panel([[10.0], [10.0], [10.0]])
    # 100 shares at 10.10 after slippage of one percent, commission max(1.00, 2.00).
    assert money(buy_and_hold(bars, costs, Decimal(1000))) == [1000.0, 988.0, 988.0]


def test_it_starts_on_the_first_row_with_a_price_and_leaves_late_comers_out() -> None:
    bars = panel([[NAN, NAN], [NAN, 10.0], [5.0, 10.0], [50.0, 20.0]])
    assert money(buy_and_hold(bars, FREE, Decimal(1000))) == [1000.0, 1000.0, 1000.0, 2000.0]


def test_what_does_not_trade_on_the_next_bar_stays_cash() -> None:
    bars = panel([[10.0, 10.0], [NAN, 10.0], [40.0, 20.0]])
    assert money(buy_and_hold(bars, FREE, Decimal(1000))) == [1000.0, 1000.0, 1500.0]


def test_a_missing_close_is_marked_at_the_last_known_one() -> None:
    bars = panel([[10.0], [10.0], [20.0], [NAN], [30.0]])
    assert money(buy_and_hold(bars, FREE, Decimal(100))) == [100.0, 100.0, 200.0, 200.0, 300.0]


def test_the_volume_of_the_bar_caps_what_is_bought() -> None:
    values = np.full((3, 1, 5), 10.0)
    values[2, 0, :4] = 20.0
    values[:, 0, 4] = 40.0
    bars = BarPanel((Instrument("S"),), np.arange(3, dtype=np.int64), values)
    costs = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal("0.25"))
    # A quarter of 40 shares.
    assert money(buy_and_hold(bars, costs, Decimal(1000))) == [1000.0, 1000.0, 1100.0]


def test_fractions_are_bought_where_the_venue_has_them() -> None:
    bars = panel([[3.0], [3.0], [6.0]], quantity_increment=Decimal("0.01"))
    # 333.33 shares of 3.00 leave 0.01.
    assert money(buy_and_hold(bars, FREE, Decimal(1000))) == [1000.0, 1000.0, 0.01 + 333.33 * 6]


def test_one_bar_buys_nothing() -> None:
    assert money(buy_and_hold(panel([[10.0]]), FREE, Decimal(5))) == [5.0]


def test_a_panel_without_prices_and_cash_that_is_none_are_refused() -> None:
    with pytest.raises(MarketDataError, match="no close"):
        buy_and_hold(panel([[NAN], [NAN]]), FREE, Decimal(5))
    with pytest.raises(BadInputError, match="Initial cash"):
        buy_and_hold(panel([[1.0], [1.0]]), FREE, Decimal(-5))
