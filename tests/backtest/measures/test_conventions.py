"""Every measure with a convention of its own, recomputed from its definition in plain numpy and plain loops."""

import dataclasses
import math
from decimal import Decimal

import numpy as np
import pytest
from scipy import stats

from nt_ray.backtest.measures.catalogue import METRICS
from nt_ray.backtest.measures.evidence import Evidence, Trades, evidence_of, evidence_of_backtest
from nt_ray.backtest.simulator import BacktestResult
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument

Q = 252.0
RATE = 0.05
BAR_RATE = (1.0 + RATE) ** (1.0 / Q) - 1.0
DAY = 86_400_000_000_000


def days(count: int, first: str = "2019-11-20") -> np.ndarray:
    return (np.datetime64(first) + np.arange(count)).astype("datetime64[ns]").astype(np.int64)


def curve(returns: np.ndarray, opening: float) -> np.ndarray:
    return np.cumprod(np.concatenate(([opening], 1.0 + returns)))


@pytest.fixture(scope="module")
def series() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(12)
    market = rng.standard_t(5, 700) * 0.008 + 0.0005
    return 0.0003 + 0.7 * market + rng.standard_t(4, 700) * 0.006, market


@pytest.fixture(scope="module", params=[0.0, RATE])
def made(request: pytest.FixtureRequest, series: tuple[np.ndarray, np.ndarray]) -> tuple[Evidence, float]:
    own, market = series
    rate = request.param
    e = Evidence(days(700), curve(own, 1000.0), Q, risk_free=rate, benchmark=curve(market, 40.0))
    return e, (1.0 + rate) ** (1.0 / Q) - 1.0


def lo_sharpe(excess: np.ndarray) -> float:
    """Lo (2002), equation 20, written as its double sum over the lags."""
    n = len(excess)
    lags = int(4 * (n / 100) ** (2 / 9))
    centred = excess - excess.mean()
    rho = [float(centred[k:] @ centred[: n - k]) / float(centred @ centred) for k in range(1, lags + 1)]
    factor = Q / math.sqrt(Q + 2 * sum((Q - k) * r for k, r in zip(range(1, lags + 1), rho, strict=True)))
    return float(excess.mean() / excess.std(ddof=1)) * factor


def test_the_risk_free_rate_is_taken_off_each_bar_in_every_measure_of_excess(
    made: tuple[Evidence, float], series: tuple[np.ndarray, np.ndarray]
) -> None:
    e, bar_rate = made
    own, market = series
    x, y = own - bar_rate, market - bar_rate
    sharpe = x.mean() / x.std(ddof=1)
    skew, kurtosis = float(stats.skew(x)), float(stats.kurtosis(x, fisher=False))
    spread = math.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (len(x) - 1))
    beta = np.cov(x, y)[0, 1] / y.var(ddof=1)
    under = curve(own, 1.0) / np.maximum.accumulate(curve(own, 1.0)) - 1.0
    cagr = float(np.prod(1.0 + own)) ** (Q / len(own)) - 1.0
    expected = {
        "sharpe": sharpe * math.sqrt(Q),
        "sharpe_adjusted": lo_sharpe(x),
        "sharpe_probability": stats.norm.cdf(sharpe / spread),
        "track_record": 1 + (1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) * (stats.norm.ppf(0.95) / sharpe) ** 2,
        "sortino": x.mean() * math.sqrt(Q) / math.sqrt(np.mean(np.minimum(own, 0.0) ** 2)),
        "kelly": x.mean() / x.var(ddof=1),
        "ulcer_performance": (cagr - e.risk_free) / math.sqrt(np.mean(under[1:] ** 2)),
        "pain_ratio": (cagr - e.risk_free) / -under[1:].mean(),
        "alpha": (x.mean() - beta * y.mean()) * Q,
        "beta": beta,
        "treynor": x.mean() * Q / beta,
    }
    for name, value in expected.items():
        assert METRICS[name](e) == pytest.approx(value, rel=1e-9), name


def test_measures_without_excess_do_not_know_the_rate(
    made: tuple[Evidence, float], series: tuple[np.ndarray, np.ndarray]
) -> None:
    e, _ = made
    own, market = series
    gap = own - market
    v = curve(own, 1.0)
    under = v / np.maximum.accumulate(v) - 1.0
    gains, losses = own[own > 0], own[own < 0]
    worst = np.sort(-own)[::-1]
    tail = 0.05 * len(own)
    whole = int(tail)
    expected = {
        "total_return": v[-1] - 1.0,
        "cagr": v[-1] ** (Q / len(own)) - 1.0,
        "mean_annual": own.mean() * Q,
        "volatility": own.std(ddof=1) * math.sqrt(Q),
        "downside_deviation": math.sqrt(np.mean(np.minimum(own, 0.0) ** 2)) * math.sqrt(Q),
        "skewness": stats.skew(own),
        "excess_kurtosis": stats.kurtosis(own),
        "value_at_risk": worst[math.ceil(tail) - 1],
        "expected_shortfall": (worst[:whole].sum() + (tail - whole) * worst[whole]) / tail,
        "tail_ratio": np.quantile(own, 0.95) / -np.quantile(own, 0.05),
        "max_drawdown": under.min(),
        "calmar": (v[-1] ** (Q / len(own)) - 1.0) / -under.min(),
        "omega": gains.sum() / -losses.sum(),
        "recovery_factor": (v[-1] - 1.0) / -under.min(),
        "best_bar": own.max(),
        "worst_bar": own.min(),
        "positive_bars": (own > 0).mean(),
        "correlation": np.corrcoef(own, market)[0, 1],
        "r_squared": np.corrcoef(own, market)[0, 1] ** 2,
        "tracking_error": gap.std(ddof=1) * math.sqrt(Q),
        "information_ratio": gap.mean() / gap.std(ddof=1) * math.sqrt(Q),
    }
    for name, value in expected.items():
        assert METRICS[name](e) == pytest.approx(value, rel=1e-9), name


def by_calendar(times: np.ndarray, equity: np.ndarray, unit: str) -> list[float]:
    """Returns of periods, from the last value before each to its own last value, by a walk over the bars."""
    found: list[float] = []
    start = last = float(equity[0])
    period = None
    for stamp, value in zip(times.astype("datetime64[ns]"), equity[1:], strict=True):
        now = stamp.astype(f"datetime64[{unit}]")
        if period is not None and now != period:
            found.append(last / start - 1.0)
            start = last
        period, last = now, float(value)
    return [*found, last / start - 1.0]


def test_measures_of_the_calendar_walk_its_days_months_and_years(made: tuple[Evidence, float]) -> None:
    e, _ = made
    months, years = (by_calendar(e.times, e.equity, unit) for unit in "MY")
    every_day = by_calendar(e.times, e.equity, "D")
    assert (METRICS["best_day"](e), METRICS["worst_day"](e)) == pytest.approx((max(every_day), min(every_day)))
    assert (METRICS["best_month"](e), METRICS["worst_month"](e)) == pytest.approx((max(months), min(months)))
    assert (METRICS["best_year"](e), METRICS["worst_year"](e)) == pytest.approx((max(years), min(years)))
    assert METRICS["positive_months"](e) == np.mean([m > 0 for m in months])
    assert METRICS["positive_years"](e) == np.mean([y > 0 for y in years])
    assert METRICS["gain_to_pain"](e) == pytest.approx(sum(months) / -sum(m for m in months if m < 0))
    assert [m.value for m in e.months] == pytest.approx(months)


def test_a_flat_month_or_bar_is_neither_a_gain_nor_a_loss() -> None:
    times = np.array(["2021-01-31", "2021-02-28", "2021-03-31", "2021-04-30"]).astype("datetime64[ns]").astype(np.int64)
    e = Evidence(times, np.array([100.0, 100.0, 110.0, 110.0, 99.0]), 12.0)
    assert METRICS["positive_bars"](e) == METRICS["positive_months"](e) == 0.25
    assert METRICS["time_under_water"](e) == 0.25


def test_bars_on_which_the_benchmark_stands_still_are_captured_by_neither_side() -> None:
    own, market = np.array([0.01, 0.5, -0.02, 0.03]), np.array([0.02, 0.0, -0.01, 0.01])
    e = Evidence(days(4), curve(own, 10.0), Q, benchmark=curve(market, 10.0))
    up = (math.sqrt(1.01 * 1.03) - 1.0) / (math.sqrt(1.02 * 1.01) - 1.0)
    assert METRICS["up_capture"](e) == pytest.approx(up)
    assert METRICS["down_capture"](e) == pytest.approx(2.0)
    assert METRICS["capture_ratio"](e) == pytest.approx(up / 2.0)
    half = Evidence(days(3), curve(np.array([0.01, -0.001, 0.02]), 10.0), Q, benchmark=curve(own[[0, 2, 3]], 10.0))
    assert METRICS["capture_ratio"](half) == pytest.approx(METRICS["up_capture"](half) / 0.05)


def test_a_benchmark_that_never_falls_has_no_down_side_and_no_account_without_one_captures() -> None:
    rising = Evidence(days(2), curve(np.array([0.01, -0.01]), 1.0), Q, benchmark=np.array([1.0, 1.1, 1.2]))
    assert METRICS["up_capture"](rising) is not None
    assert METRICS["down_capture"](rising) is METRICS["capture_ratio"](rising) is None
    alone = Evidence(days(2), curve(np.array([0.01, -0.01]), 1.0), Q)
    ruined = Evidence(days(2), np.array([1.0, 0.0, 0.0]), Q, benchmark=np.array([1.0, 1.1, 1.2]))
    assert METRICS["up_capture"](alone) is METRICS["up_capture"](ruined) is None


def test_a_small_loss_is_a_loss() -> None:
    e = Evidence(days(3), curve(np.array([0.004, -0.001, 0.002]), 1.0), Q)
    assert METRICS["omega"](e) == pytest.approx(6.0)


def at(*moments: str) -> np.ndarray:
    return np.array(moments).astype("datetime64[ns]").astype(np.int64)


def test_a_year_ago_is_the_same_day_of_the_same_month() -> None:
    times = at("2019-06-10", "2019-06-19", "2019-06-20", "2019-06-21", "2019-07-20", "2020-06-20")
    e = Evidence(times, np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]), Q)
    assert METRICS["last_year"](e) == pytest.approx(8.0 / 4.0 - 1.0)
    shorter = Evidence(at("2019-06-21", "2020-06-20"), np.array([1.0, 2.0, 3.0]), Q)
    assert METRICS["last_year"](shorter) is None


def test_a_flat_year_is_no_positive_one() -> None:
    e = Evidence(at("2019-12-31", "2020-12-31", "2021-12-31"), np.array([1.0, 2.0, 2.0, 3.0]), 1.0)
    assert METRICS["positive_years"](e) == pytest.approx(2 / 3)


def test_small_profits_and_losses_count_as_large_ones_do() -> None:
    plain = Trades(
        np.array([0.02, 0.0, -0.01]),
        np.array([0.2, 0.0, -0.1]),
        np.ones(3),
        np.zeros(3),
        np.ones(3),
        0.1,
        0.0,
        np.ones(2),
    )
    e = Evidence(days(2), np.array([0.1, 0.1, 0.1]), Q, trades=plain)
    found = {name: METRICS[name](e) for name in ("win_rate", "profit_factor", "average_win", "average_loss", "payoff")}
    assert found == pytest.approx(
        {"win_rate": 0.5, "profit_factor": 2.0, "average_win": 0.02, "average_loss": -0.01, "payoff": 2.0}
    )
    assert METRICS["turnover"](e) == pytest.approx(0.1 / 2 / 0.1 * Q / 2)
    assert METRICS["edge_ratio"](e) is None
    two = dataclasses.replace(e, trades=dataclasses.replace(plain, returns=np.array([0.2, 0.1])))
    assert METRICS["system_quality"](two) == pytest.approx(math.sqrt(2) * 0.15 / np.std([0.2, 0.1], ddof=1))
    won = dataclasses.replace(e, trades=dataclasses.replace(plain, profits=np.array([0.02])))
    lost = dataclasses.replace(e, trades=dataclasses.replace(plain, profits=np.array([-0.02])))
    assert METRICS["payoff"](won) is METRICS["payoff"](lost) is None


def test_two_bars_are_enough_for_returns_and_years_and_one_is_not() -> None:
    two = Evidence(days(2), np.array([100.0, 110.0, 99.0]), 365.25)
    assert METRICS["volatility"](two) == pytest.approx(np.std([0.1, -0.1], ddof=1) * math.sqrt(365.25))
    assert METRICS["kelly"](two) == pytest.approx(0.0, abs=1e-12)
    assert METRICS["cagr_calendar"](two) == pytest.approx(0.99 ** (365.25 / 2) - 1.0)
    one = Evidence(days(1), np.array([100.0, 110.0]), 365.25)
    assert METRICS["cagr_calendar"](one) is METRICS["kelly"](one) is METRICS["omega"](one) is None


def traded() -> tuple[BarPanel, BacktestResult]:
    """Three bars by hand; the symbol has no price yet on the first."""
    closes = np.array([np.nan, 10.0, 12.0, 11.0])
    values = np.repeat(closes[:, None, None], 5, axis=2)
    panel = BarPanel((Instrument("ONE", price_increment=Decimal("0.01")),), days(4), values)
    unit = 10**8 // 100  # A tick of a cent in quanta.
    executions = np.array([[1, 0, 1, 5, 1000, 10**8], [3, 0, -1, 5, 1100, 2 * 10**8]], dtype=np.int64)
    positions = np.array([[0], [5], [5], [0]], dtype=np.int64)
    cash = np.array([100 * 10**8] * 4, dtype=np.int64)
    cash[1:] -= 5 * 1000 * unit + 10**8
    cash[3:] += 5 * 1100 * unit - 2 * 10**8
    equity = cash + positions[:, 0] * np.array([0, 1000, 1200, 1100]) * unit
    return panel, BacktestResult(panel, executions, equity, cash, positions)


def test_evidence_of_a_backtest_is_what_a_hand_finds_in_it() -> None:
    panel, result = traded()
    benchmark = np.array([1.0, 1.0, 1.1, 1.2, 1.1])
    e = evidence_of_backtest(result, 100 * 10**8, Costs(), risk_free=RATE, benchmark=benchmark)
    assert (e.risk_free, e.periods_per_year) == (RATE, panel.periods_per_year)
    assert e.benchmark is benchmark
    assert e.equity == pytest.approx([100.0, 100.0, 99.0, 109.0, 102.0])
    assert e.trades is not None
    assert e.trades.gross == pytest.approx([0.0, 50 / 99, 60 / 109, 0.0])
    assert (e.trades.traded, e.trades.commission) == (50.0 + 55.0, 3.0)
    assert e.trades.profits == pytest.approx([5 * 1.0 - 3.0])
    assert e.trades.holding.tolist() == [2.0]
    assert (e.trades.adverse.tolist(), e.trades.favourable.tolist()) == ([0.0], pytest.approx([0.2]))
    late = evidence_of(
        panel, result.equity_quanta[1:], result.positions[1:], result.executions, first=1,
        opening_quanta=100 * 10**8, costs=Costs(),
    )  # fmt: skip
    assert late.times.tolist() == panel.timestamps[1:].tolist()
    assert late.trades is not None
    assert late.trades.gross == pytest.approx([50 / 99, 60 / 109, 0.0])


def test_no_rate_is_taken_unless_one_is_given() -> None:
    _, result = traded()
    assert evidence_of_backtest(result, 100 * 10**8, Costs()).risk_free == 0.0
    assert Evidence(days(2), np.array([1.0, 2.0, 1.0]), Q).risk_free == 0.0
    rows = (result.equity_quanta, result.positions, result.executions)
    assert evidence_of(result.panel, *rows, first=0, opening_quanta=10**10, costs=Costs()).risk_free == 0.0


def test_evidence_is_compared_by_identity_and_cannot_be_changed() -> None:
    e = Evidence(days(2), np.array([1.0, 2.0, 1.0]), Q)
    assert e != dataclasses.replace(e)
    with pytest.raises(dataclasses.FrozenInstanceError):
        e.risk_free = 1.0  # type: ignore[misc]
    trades = Trades(*(np.zeros(1) for _ in range(5)), 0.0, 0.0, np.zeros(2))
    assert trades != dataclasses.replace(trades)
    with pytest.raises(dataclasses.FrozenInstanceError):
        trades.traded = 1.0  # type: ignore[misc]
