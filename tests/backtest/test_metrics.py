import dataclasses
import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from nt_ray.backtest.metrics import MetricsError, drawdown_table, drawdowns, measure, monthly_returns
from nt_ray.market.embedded import load_embedded

CURVES = hnp.arrays(np.float64, st.integers(3, 80), elements=st.floats(1.0, 1000.0))


def closes_since_2013(name: str, symbol: str) -> np.ndarray:
    panel = load_embedded(name)
    years = pl.Series(panel.timestamps).cast(pl.Datetime("ns")).dt.year().to_numpy()
    # The close before the first of 2,516 returns is that of 2012-12-31.
    first = int(np.argmax(years >= 2013))
    return panel.closes[first - 1 :, panel.symbols.index(symbol)].copy()


def test_apple_agrees_with_four_published_libraries() -> None:
    apple = closes_since_2013("sp500", "AAPL")
    metrics = measure(apple, 252.0)
    assert metrics.periods == 2516
    assert metrics.sharpe == pytest.approx(0.849644155, abs=5e-10)
    assert metrics.sortino == pytest.approx(1.231507, abs=5e-7)
    assert metrics.cagr == pytest.approx(0.22702143, abs=5e-9)
    assert metrics.max_drawdown == pytest.approx(-0.38515457, abs=5e-9)
    assert metrics.volatility == pytest.approx(0.290713, abs=5e-7)
    assert metrics.var_95 == pytest.approx(0.027158, abs=5e-7)
    assert metrics.es_95 == pytest.approx(0.042132, abs=5e-7)
    assert metrics.calmar == pytest.approx(0.22702143 / 0.38515457, abs=1e-7)


def test_apple_against_the_index_agrees_with_published_alpha_and_information_ratio() -> None:
    metrics = measure(closes_since_2013("sp500", "AAPL"), 252.0, benchmark=closes_since_2013("sp500-index", "SP500"))
    assert metrics.alpha == pytest.approx(0.114373, abs=5e-7)
    assert metrics.information_ratio == pytest.approx(0.645, abs=5e-4)


def test_half_a_year_of_weeks_compounds_to_a_whole_one() -> None:
    metrics = measure(1000.0 * 1.006 ** np.arange(27), 52.0)
    assert metrics.cagr == pytest.approx(1.006**52 - 1.0, rel=1e-12)


def test_constant_returns_have_no_ratio() -> None:
    metrics = measure(1000.0 * 1.006 ** np.arange(27), 52.0, benchmark=100.0 * 1.006 ** np.arange(27))
    assert metrics.volatility == 0.0
    assert [metrics.sharpe, metrics.sortino, metrics.calmar, metrics.skew, metrics.excess_kurtosis] == [None] * 5
    assert [metrics.beta, metrics.alpha, metrics.correlation, metrics.information_ratio] == [None] * 4
    assert metrics.max_drawdown == 0.0
    assert metrics.drawdown_peak is None


def test_a_loss_on_the_first_bar_is_a_drawdown_from_the_initial_equity() -> None:
    metrics = measure(np.array([100.0, 80.0, 90.0, 100.0, 95.0]), 252.0)
    assert metrics.max_drawdown == pytest.approx(-0.2)
    assert (metrics.drawdown_peak, metrics.drawdown_trough, metrics.drawdown_recovery) == (0, 1, 3)
    assert metrics.drawdown_length == 3


def test_ruin_leaves_growth_and_ratios_undefined() -> None:
    metrics = measure(np.array([100.0, 50.0, -10.0]), 252.0)
    assert metrics.total_return == pytest.approx(-1.1)
    assert metrics.max_drawdown == pytest.approx(-1.1)
    assert [metrics.cagr, metrics.sharpe, metrics.sortino, metrics.volatility, metrics.var_95] == [None] * 5


def test_one_return_says_nothing_but_itself() -> None:
    metrics = measure(np.array([100.0, 101.0]), 252.0)
    assert metrics.total_return == pytest.approx(0.01)
    assert [metrics.cagr, metrics.volatility, metrics.best, metrics.positive_share] == [None] * 4


def test_growth_too_large_for_a_float_is_undefined() -> None:
    assert measure(np.array([1.0, 2.0, 4.0]), 525_600.0).cagr is None


def test_the_risk_free_rate_is_compounded_to_the_bar() -> None:
    curve = np.array([100.0, 101.0, 100.5, 103.0, 102.0])
    returns = np.diff(curve) / curve[:-1]
    excess = returns - (1.05 ** (1 / 252) - 1.0)
    metrics = measure(curve, 252.0, risk_free=0.05)
    assert metrics.sharpe == pytest.approx(excess.mean() / excess.std(ddof=1) * math.sqrt(252), rel=1e-12)
    assert metrics.sortino == pytest.approx(
        excess.mean() * 252 / (math.sqrt(np.mean(np.minimum(returns, 0) ** 2)) * math.sqrt(252)), rel=1e-12
    )


def test_shape_and_regression_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    market = rng.standard_t(4, 300) * 0.01
    returns = 0.0004 + 1.3 * market + rng.normal(0, 0.004, 300)
    metrics = measure(
        np.cumprod(np.append(1.0, 1.0 + returns)), 252.0, benchmark=np.cumprod(np.append(5.0, 1.0 + market))
    )
    line = stats.linregress(market, returns)
    assert metrics.beta == pytest.approx(line.slope, rel=1e-9)
    assert metrics.alpha == pytest.approx(line.intercept * 252, rel=1e-7)
    assert metrics.correlation == pytest.approx(line.rvalue, rel=1e-9)
    assert metrics.skew == pytest.approx(stats.skew(returns), rel=1e-7)
    assert metrics.excess_kurtosis == pytest.approx(stats.kurtosis(returns), rel=1e-7)
    assert metrics.tracking_error == pytest.approx((returns - market).std(ddof=1) * math.sqrt(252), rel=1e-9)
    assert metrics.positive_share == np.mean(returns > 0)
    assert (metrics.best, metrics.worst) == pytest.approx((returns.max(), returns.min()))


def test_a_curve_against_itself_has_beta_one_and_no_tracking_error() -> None:
    curve = np.array([100.0, 102.0, 99.0, 104.0])
    metrics = measure(curve, 252.0, benchmark=curve * 7.0)
    assert metrics.beta == pytest.approx(1.0)
    assert metrics.correlation == pytest.approx(1.0)
    assert metrics.tracking_error == 0.0
    assert metrics.information_ratio is None


@given(CURVES, st.floats(0.01, 100.0))
def test_no_metric_depends_on_the_unit_of_money_or_is_infinite(curve: np.ndarray, unit: float) -> None:
    one, other = dataclasses.asdict(measure(curve, 252.0)), dataclasses.asdict(measure(curve * unit, 252.0))
    for name, value in one.items():
        assert value is None or math.isfinite(value), name
    assert one["total_return"] == pytest.approx(other["total_return"], rel=1e-9, abs=1e-9)
    assert one["max_drawdown"] == pytest.approx(other["max_drawdown"], rel=1e-9, abs=1e-9)


@given(CURVES)
def test_drawdowns_match_a_plain_loop(curve: np.ndarray) -> None:
    peak, expected = -math.inf, []
    for value in curve:
        peak = max(peak, value)
        expected.append(value / peak - 1.0)
    assert drawdowns(curve).tolist() == expected
    assert measure(curve, 252.0).max_drawdown == min(expected)


@given(CURVES)
def test_monthly_returns_compound_to_the_total_return(curve: np.ndarray) -> None:
    start = np.datetime64("2020-01-20")
    times = (start + np.arange(len(curve) - 1) * np.timedelta64(1, "D")).astype("datetime64[ns]").astype(np.int64)
    months = monthly_returns(times, curve)
    assert math.prod(1.0 + m.value for m in months) == pytest.approx(curve[-1] / curve[0], rel=1e-9)
    assert [(m.year, m.month) for m in months] == sorted({(m.year, m.month) for m in months})


def test_months_are_calendar_months_in_utc() -> None:
    times = np.array(["2019-12-31T23:59", "2020-01-01T00:00", "2020-01-31", "2020-03-02"], dtype="datetime64[ns]")
    months = monthly_returns(times.astype(np.int64), np.array([100.0, 110.0, 121.0, 99.0, 198.0]))
    assert [(m.year, m.month, round(m.value, 12)) for m in months] == [
        (2019, 12, 0.1),
        (2020, 1, -0.1),
        (2020, 3, 1.0),
    ]


def test_the_drawdown_table_lists_the_deepest_falls_with_their_days() -> None:
    times = np.array([f"2020-01-0{d}" for d in range(1, 8)], dtype="datetime64[ns]").astype(np.int64)
    table = drawdown_table(times, np.array([100.0, 95.0, 100.0, 120.0, 60.0, 90.0, 130.0, 117.0]), top=2)
    assert [round(d.depth, 12) for d in table] == [-0.5, -0.1]
    assert table[0].peak == datetime(2020, 1, 3, tzinfo=UTC)
    assert table[0].trough == datetime(2020, 1, 4, tzinfo=UTC)
    assert table[0].recovery == datetime(2020, 1, 6, tzinfo=UTC)
    assert table[0].length == 3
    assert table[1].recovery is None
    assert table[1].length == 1


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ([], "one series"),
        ([[1.0, 2.0]], "one series"),
        ([0.0, 1.0], "Start above zero"),
        ([1.0, math.nan], "index 1 is nan"),
        ([1.0, math.inf], "index 1 is inf"),
    ],
)
def test_curves_that_cannot_be_measured_are_refused(curve: list[float], message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        measure(np.array(curve), 252.0)


def test_arguments_that_make_no_sense_are_refused() -> None:
    curve = np.array([1.0, 2.0, 3.0])
    with pytest.raises(MetricsError, match="periods_per_year"):
        measure(curve, 0.0)
    with pytest.raises(MetricsError, match="risk_free"):
        measure(curve, 252.0, risk_free=-1.0)
    with pytest.raises(MetricsError, match="same times"):
        measure(curve, 252.0, benchmark=curve[:-1])
    with pytest.raises(MetricsError, match="2 times"):
        monthly_returns(np.array([1, 2]), np.array([1.0, 2.0]))
