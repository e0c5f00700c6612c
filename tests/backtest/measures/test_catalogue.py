import dataclasses
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from nt_ray.backtest.measures.catalogue import GROUPS, METRICS, measure_all, metrics_page
from nt_ray.backtest.measures.evidence import Evidence, Trades, evidence_of_backtest
from nt_ray.backtest.metrics import Metrics, MetricsError, drawdown_table
from nt_ray.backtest.simulator import backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "metrics.md"
CURVES = hnp.arrays(np.float64, st.integers(2, 60), elements=st.floats(1.0, 1000.0))


def days(start: str, count: int) -> np.ndarray:
    return (np.datetime64(start) + np.arange(count)).astype("datetime64[ns]").astype(np.int64)


def evidence(returns: np.ndarray, market: np.ndarray | None = None, **more: object) -> Evidence:
    curve = np.cumprod(np.concatenate(([1000.0], 1.0 + returns)))
    other = None if market is None else np.cumprod(np.concatenate(([50.0], 1.0 + market)))
    return Evidence(days("2020-01-01", len(returns)), curve, 252.0, benchmark=other, **more)


def trades(profits: list[float], **changes: object) -> Trades:
    count = len(profits)
    plain = Trades(
        profits=np.array(profits),
        returns=np.array(profits) / 100.0,
        holding=np.arange(1.0, count + 1.0),
        adverse=np.full(count, 0.02),
        favourable=np.full(count, 0.03),
        traded=5000.0,
        commission=7.5,
        gross=np.array([0.0, 0.5, 1.0, 0.0]),
    )
    return dataclasses.replace(plain, **changes)


@pytest.fixture(scope="module")
def apple() -> Evidence:
    stocks, index = load_embedded("sp500"), load_embedded("sp500-index")
    first = int(np.searchsorted(stocks.timestamps, days("2013-01-01", 1)[0]))
    own = stocks.closes[first - 1 :, stocks.symbols.index("AAPL")].copy()
    market = index.closes[np.searchsorted(index.timestamps, stocks.timestamps[first - 1 :]), 0].copy()
    return Evidence(stocks.timestamps[first:].copy(), own, 252.0, benchmark=market)


def test_apple_agrees_with_published_libraries(apple: Evidence) -> None:
    assert METRICS["sharpe"](apple) == pytest.approx(0.849644155, abs=5e-10)
    assert METRICS["sortino"](apple) == pytest.approx(1.231507, abs=5e-7)
    assert METRICS["cagr"](apple) == pytest.approx(0.22702143, abs=5e-9)
    assert METRICS["omega"](apple) == pytest.approx(1.166389, abs=5e-7)
    assert METRICS["information_ratio"](apple) == pytest.approx(0.645, abs=5e-4)
    assert METRICS["alpha"](apple) == pytest.approx(0.114373, abs=5e-7)
    assert METRICS["excess_kurtosis"](apple) == pytest.approx(8.735 - 3.0, abs=5e-3)
    assert METRICS["mean_annual"](apple) == pytest.approx(2.4661011493 / 2516 * 252, abs=1e-9)
    assert METRICS["mean_annual"](apple) == pytest.approx(0.247002, abs=5e-6)


def test_calendar_growth_counts_days(apple: Evidence) -> None:
    # First to last bar are 3647 days, and the opening is one average bar earlier.
    years = 3647 * 2516 / 2515 / 365.25
    expected = (apple.equity[-1] / apple.equity[0]) ** (1 / years) - 1
    assert METRICS["cagr_calendar"](apple) == pytest.approx(expected, rel=1e-9)
    assert METRICS["cagr_calendar"](apple) == pytest.approx(0.22700094, abs=2e-4)
    weeks = Evidence(days("2021-01-01", 27 * 7)[::7].copy(), 1000.0 * 1.006 ** np.arange(28), 52.0)
    assert METRICS["cagr"](weeks) == pytest.approx(1.006**52 - 1.0)
    assert METRICS["cagr_calendar"](weeks) == pytest.approx(1.006 ** (365.25 / 7) - 1.0)


def test_tails_and_drawdowns_agree_with_numpy_and_the_drawdown_table(apple: Evidence) -> None:
    returns = np.diff(apple.equity) / apple.equity[:-1]
    under = apple.equity / np.maximum.accumulate(apple.equity) - 1.0
    table = drawdown_table(apple.times, apple.equity, top=10_000)
    assert METRICS["tail_ratio"](apple) == pytest.approx(np.quantile(returns, 0.95) / -np.quantile(returns, 0.05))
    assert METRICS["average_drawdown"](apple) == pytest.approx(np.mean([d.depth for d in table]))
    assert METRICS["longest_drawdown"](apple) == max(d.length for d in table)
    assert METRICS["ulcer_index"](apple) == pytest.approx(math.sqrt(np.mean(under[1:] ** 2)))
    assert METRICS["pain_index"](apple) == pytest.approx(-under[1:].mean())
    assert METRICS["time_under_water"](apple) == np.mean(under[1:] < 0)
    worst = np.sort(-under[1:])[::-1]
    tail = 0.05 * 2516
    expected = (worst[:125].sum() + (tail - 125) * worst[125]) / tail
    assert METRICS["conditional_drawdown"](apple) == pytest.approx(expected)
    assert METRICS["downside_deviation"](apple) == pytest.approx(math.sqrt(np.mean(np.minimum(returns, 0) ** 2) * 252))


@pytest.mark.parametrize(
    ("curve", "bars"),
    [([1, 2, 3], 0), ([2, 1], 1), ([2, 1, 2], 2), ([2, 1, 3, 2.5, 2.9, 2.8], 3), ([2, 1, 1, 3, 2], 3), ([2, 2, 2], 0)],
)
def test_the_longest_drawdown_runs_from_peak_to_recovery_or_end(curve: list[float], bars: int) -> None:
    e = Evidence(days("2020-01-01", len(curve) - 1), np.array(curve, dtype=np.float64), 252.0)
    assert METRICS["longest_drawdown"](e) == bars


def test_benchmark_measures_agree_with_a_regression() -> None:
    rng = np.random.default_rng(3)
    market = rng.normal(0.0004, 0.01, 400)
    own = 0.0002 + 0.8 * market + rng.normal(0, 0.003, 400)
    e = evidence(own, market)
    line = stats.linregress(market, own)
    assert METRICS["r_squared"](e) == pytest.approx(line.rvalue**2)
    assert METRICS["treynor"](e) == pytest.approx(own.mean() * 252 / line.slope)
    up, down = market > 0, market < 0
    geometric = lambda r: float(np.prod(1 + r) ** (1 / len(r)) - 1)  # noqa: E731
    assert METRICS["up_capture"](e) == pytest.approx(geometric(own[up]) / geometric(market[up]))
    assert METRICS["down_capture"](e) == pytest.approx(geometric(own[down]) / geometric(market[down]))
    assert METRICS["excess_growth"](e) == pytest.approx(
        np.prod(1 + own) ** (252 / 400) - np.prod(1 + market) ** (252 / 400)
    )


def test_an_account_that_is_its_benchmark_captures_all_of_it() -> None:
    market = np.random.default_rng(4).normal(0.0005, 0.01, 200)
    e = evidence(market, market)
    for name in ("up_capture", "down_capture", "capture_ratio", "r_squared", "beta"):
        assert METRICS[name](e) == pytest.approx(1.0)
    assert METRICS["excess_growth"](e) == pytest.approx(0.0, abs=1e-12)


def test_periods_begin_at_the_last_bar_before_them() -> None:
    times = np.array(["2018-12-31", "2019-06-28", "2020-09-30", "2020-12-31", "2021-01-29", "2021-02-01", "2021-02-02"])
    stamps = times.astype("datetime64[ns]").astype(np.int64)
    e = Evidence(stamps, np.array([90.0, 100.0, 110.0, 120.0, 140.0, 150.0, 160.0, 180.0]), 252.0)
    assert METRICS["month_to_date"](e) == pytest.approx(180 / 150 - 1)
    assert METRICS["quarter_to_date"](e) == pytest.approx(180 / 140 - 1)
    assert METRICS["year_to_date"](e) == pytest.approx(180 / 140 - 1)
    assert METRICS["last_year"](e) == pytest.approx(180 / 110 - 1)
    assert METRICS["last_three_years"](e) is None
    assert METRICS["best_month"](e) == pytest.approx(180 / 150 - 1)
    assert METRICS["best_year"](e) == pytest.approx(180 / 140 - 1)
    assert METRICS["worst_year"](e) == pytest.approx(110 / 100 - 1)
    assert METRICS["positive_months"](e) == 1.0


def test_three_years_are_annualised() -> None:
    e = Evidence(days("2018-01-01", 1462), 100.0 * 1.0001 ** np.arange(1463), 365.0)
    assert METRICS["last_three_years"](e) == pytest.approx(1.0001 ** (1096 / 3) - 1, rel=2e-3)
    assert METRICS["last_year"](e) == pytest.approx(1.0001**365 - 1, rel=1e-9)


def test_days_are_compounded_from_their_bars() -> None:
    hours = (np.datetime64("2021-03-01T10") + np.arange(6) * np.timedelta64(6, "h")).astype("datetime64[ns]")
    e = Evidence(hours.astype(np.int64), np.array([100.0, 110.0, 121.0, 133.1, 120.0, 110.0, 100.0]), 252.0)
    assert METRICS["best_day"](e) == pytest.approx(0.331)
    assert METRICS["worst_day"](e) == pytest.approx(100 / 133.1 - 1)
    assert METRICS["worst_bar"](e) == pytest.approx(120 / 133.1 - 1)


def test_gain_to_pain_is_a_matter_of_months() -> None:
    times = np.array(["2021-01-31", "2021-02-28", "2021-03-31"]).astype("datetime64[ns]").astype(np.int64)
    e = Evidence(times, np.array([100.0, 110.0, 99.0, 118.8]), 12.0)
    assert METRICS["gain_to_pain"](e) == pytest.approx((0.1 - 0.1 + 0.2) / 0.1)
    assert METRICS["recovery_factor"](e) == pytest.approx(0.188 / 0.1)


def test_trades_by_hand() -> None:
    e = evidence(np.array([0.01, -0.01, 0.02, 0.0]), trades=trades([30.0, -10.0, 0.0, -20.0, 50.0, -10.0, -5.0]))
    found = {name: METRICS[name](e) for name in (m.name for m in GROUPS["Trading"])}
    assert found["round_trip_count"] == 7
    assert found["win_rate"] == pytest.approx(2 / 6)
    assert found["profit_factor"] == pytest.approx(80 / 45)
    assert (found["average_win"], found["average_loss"]) == (40.0, -11.25)
    assert found["payoff"] == pytest.approx(40 / 11.25)
    assert (found["largest_win"], found["largest_loss"]) == (50.0, -20.0)
    assert found["expectancy"] == pytest.approx(5.0)
    assert found["expectancy_return"] == pytest.approx(0.05)
    returns = np.array([30.0, -10.0, 0.0, -20.0, 50.0, -10.0, -5.0]) / 100
    assert found["system_quality"] == pytest.approx(math.sqrt(7) * returns.mean() / returns.std(ddof=1))
    assert found["losing_streak"] == 2
    assert found["average_holding"] == 4.0
    assert found["edge_ratio"] == pytest.approx(1.5)
    assert (found["exposure_time"], found["average_gross"]) == (0.5, 0.375)
    assert found["turnover"] == pytest.approx(2500 / e.equity[1:].mean() * 252 / 4)
    assert found["commissions"] == 7.5


def test_the_system_quality_number_counts_a_hundred_trades_at_most() -> None:
    profits = np.random.default_rng(5).normal(1, 10, 400).tolist()
    e = evidence(np.array([0.01, -0.01]), trades=trades(profits))
    returns = np.array(profits) / 100
    assert METRICS["system_quality"](e) == pytest.approx(10 * returns.mean() / returns.std(ddof=1))


def test_without_trades_or_benchmark_their_measures_are_undefined() -> None:
    found = measure_all(evidence(np.array([0.01, -0.01, 0.02])))
    for group in ("Trading", "Against the benchmark"):
        assert {found[m.name] for m in GROUPS[group]} == {None}
    idle = measure_all(evidence(np.zeros(4), trades=trades([])))
    assert idle["round_trip_count"] == 0.0
    assert [idle[n] for n in ("win_rate", "profit_factor", "expectancy", "system_quality", "losing_streak")] == [
        None
    ] * 5


def test_constant_growth_and_ruin_have_no_ratios() -> None:
    ratios = [m.name for m in GROUPS["Reward for risk"]]
    constant = measure_all(evidence(np.full(30, 0.01)))
    assert {constant[name] for name in ratios} == {None}
    assert (constant["pain_index"], constant["conditional_drawdown"], constant["longest_drawdown"]) == (0.0, 0.0, 0.0)
    ruined = measure_all(Evidence(days("2020-01-01", 3), np.array([100.0, 50.0, -10.0, -5.0]), 252.0))
    assert {ruined[name] for name in ratios if name != "recovery_factor"} <= {None, ruined["gain_to_pain"]}
    assert ruined["cagr_calendar"] is None


@settings(max_examples=60)
@given(CURVES, st.booleans())
def test_every_measure_is_a_finite_number_or_none(curve: np.ndarray, own: bool) -> None:
    e = Evidence(days("2019-12-20", len(curve) - 1), curve, 252.0, benchmark=curve[::-1].copy() if own else None)
    for name, value in measure_all(e).items():
        assert value is None or math.isfinite(value), name


def test_a_backtest_gives_all_the_evidence_there_is() -> None:
    panel = load_embedded("sp500").select(["KO", "XOM"])
    momentum = find("momentum")
    result = backtest(
        panel,
        momentum,
        momentum.vector(),
        sizing=SizingParams(max_weight=0.4),
        costs=Costs(),
        initial_cash=Decimal(100_000),
    )
    e = evidence_of_backtest(result, 10**13, Costs())
    fills = result.fills()
    found = measure_all(e)
    notional = float((fills["quantity"].cast(float) * fills["price"].cast(float)).sum())
    assert found["commissions"] == pytest.approx(float(fills["commission"].sum()))
    assert found["turnover"] == pytest.approx(notional / 2 / e.equity[1:].mean() * 252 / len(panel), rel=1e-9)
    assert found["exposure_time"] == np.mean((result.positions != 0).any(axis=1))
    assert found["total_return"] == pytest.approx(float(result.final_equity) / 100_000 - 1)
    cash = result.cash_quanta / result.equity_quanta
    assert found["average_gross"] == pytest.approx(np.mean(1 - cash), rel=1e-9)
    assert {name for name, value in found.items() if value is None} == {m.name for m in GROUPS["Against the benchmark"]}


def test_evidence_that_does_not_fit_is_refused() -> None:
    with pytest.raises(MetricsError, match="3 times stand beside 3"):
        Evidence(days("2020-01-01", 3), np.ones(3), 252.0)
    with pytest.raises(MetricsError, match="is nan"):
        measure_all(Evidence(days("2020-01-01", 2), np.array([1.0, 2.0, math.nan]), 252.0))


def test_every_measure_states_a_convention_and_there_are_many() -> None:
    assert len(METRICS) == sum(map(len, GROUPS.values())) > 40
    for name, m in METRICS.items():
        assert m.name == name
        assert m.title
        assert m.unit
        assert m.convention.endswith(".")
        assert len(m.convention) >= 10


def test_the_common_metrics_are_in_the_catalogue_with_the_same_value(apple: Evidence) -> None:
    found = measure_all(apple)
    common = {f.name for f in dataclasses.fields(Metrics)} & METRICS.keys()
    assert len(common) >= 10
    for name in common:
        assert found[name] == getattr(apple.metrics, name)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_page()
