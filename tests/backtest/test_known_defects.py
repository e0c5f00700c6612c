"""Mistakes that trading programs are known to make, one test for each; the numbers are those of our list of them."""

import dataclasses
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import talib

from nt_ray.backtest.buy_and_hold import buy_and_hold
from nt_ray.backtest.metrics import measure
from nt_ray.backtest.practice import practice_panel
from nt_ray.backtest.research.resampling import resample_bars, resample_trades
from nt_ray.backtest.research.splits import walk_forward_splits
from nt_ray.backtest.research.walk_forward import walk_forward
from nt_ray.backtest.round_trips import round_trips
from nt_ray.backtest.simulator import BacktestResult, Tape, backtest
from nt_ray.backtest.sweep.engine import sweep
from nt_ray.backtest.sweep.space import Grid
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.config import load_settings
from nt_ray.errors import NeuralTraderError
from nt_ray.features.rsi import RSI
from nt_ray.market.bars import CLOSE, OPEN, BarPanel, Instrument
from nt_ray.market.source import load_panel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.inputs import MissingInputError
from nt_ray.strategies.mirror import compare, history
from nt_ray.strategies.registry import find
from nt_ray.types import FloatArray

ALL_IN = SizingParams(target_volatility=math.inf, max_weight=1.0)
FREE = Costs(commission_bps=Decimal(0), slippage_bps=Decimal(0), volume_share=Decimal(1))
CASH = Decimal(100_000)


def of_closes(closes: FloatArray) -> BarPanel:
    closes = closes.reshape(len(closes), -1)
    values = np.repeat(closes[:, :, None], 5, axis=2)
    values[:, :, 4] = 1e9
    names = tuple(Instrument(f"S{i}") for i in range(closes.shape[1]))
    return BarPanel(names, (np.arange(len(closes), dtype=np.int64) + 10_000) * 86_400_000_000_000, values)


def votes(strategy: Strategy, closes: FloatArray, extra: FloatArray | None = None, **values: float) -> Any:
    """Targets of the first symbol, and confidences."""
    params = strategy.vector(values)
    closes = closes.reshape(len(closes), -1)
    state, targets = np.zeros(strategy.state_size(params)), np.zeros((len(closes), strategy.width))
    confidences = np.zeros(len(closes))
    for t, row in enumerate(closes):
        bar = np.full((strategy.width, 5 + len(strategy.inputs)), np.nan)
        bar[:, 3] = row
        if extra is not None:
            bar[:, 5] = extra[t]
        confidences[t] = strategy.step(state, bar, params, targets[t])
    return targets[:, 0], confidences


def ran(panel: BarPanel, name: str, costs: Costs = FREE, **values: float) -> BacktestResult:
    strategy = find(name)
    params = strategy.vector(values)
    return backtest(panel, strategy, params, sizing=ALL_IN, costs=costs, initial_cash=CASH)


def test_01_an_rsi_of_a_bar_knows_no_later_close() -> None:
    closes = 100.0 * np.exp(np.random.default_rng(1).normal(0.0, 0.02, 300).cumsum())
    index = RSI(closes, length=14)
    assert len(index) == len(closes)
    assert np.isnan(index[:14]).all()
    np.testing.assert_allclose(index, talib.RSI(closes, 14), rtol=1e-9)
    changed = closes.copy()
    changed[200:] *= 3.0
    assert RSI(changed, length=14)[:200].tobytes() == index[:200].tobytes()


@pytest.mark.parametrize("name", ["mean_reversion", "multi_indicator"])
def test_01_on_walks_without_drift_and_costs_reversion_earns_nothing(name: str) -> None:
    strategy, earned = find(name), []
    generator = np.random.default_rng(2)
    for _ in range(200):
        returns = generator.normal(0.0, 0.02, 300)
        held = votes(strategy, 100.0 * np.exp(returns.cumsum()), short=1)[0]
        earned.append((held[:-1] * returns[1:]).sum())
    assert abs(np.mean(earned)) < 3.0 * np.std(earned) / math.sqrt(len(earned))


def test_02_the_regime_of_a_bar_is_judged_from_bars_up_to_it() -> None:
    generator = np.random.default_rng(3)
    seesaw = generator.normal(0.0, 0.01, 600)
    seesaw[1::2] = -seesaw[::2]
    trend = generator.normal(0.02, 0.005, 100)
    logs = np.concatenate([seesaw, trend, -trend])
    base, _ = votes(find("adaptive"), 50.0 * np.exp(logs.cumsum()), short=1)
    for end in (trend, -trend):
        other = logs.copy()
        other[700:] = end
        assert votes(find("adaptive"), 50.0 * np.exp(other.cumsum()), short=1)[0][:700].tolist() == base[:700].tolist()
    assert base[650:700].mean() > 0.0


def test_03_a_signal_is_filled_on_the_next_bar_and_never_at_the_close_that_made_it() -> None:
    closes = np.concatenate([np.full(30, 100.0), np.linspace(100.0, 130.0, 30)])
    panel = of_closes(closes)
    values = panel.values.copy()
    values[1:, 0, OPEN] = closes[:-1] + 0.37
    result = ran(dataclasses.replace(panel, values=values), "sma_cross", fast=2, slow=5)
    targets, confidences = votes(find("sma_cross"), closes, fast=2, slow=5)
    signal = int(np.flatnonzero((targets > 0.0) & (confidences > 0.0))[0])
    row, price = result.executions[0, [0, 4]].tolist()
    assert row == signal + 1
    assert price == panel.instruments[0].price_increment ** -1 * Decimal(str(round(values[row, 0, OPEN], 4)))
    assert price / 1e4 != closes[signal]


def test_04_walking_forward_fits_on_the_train_rows_and_is_judged_on_others() -> None:
    # What rises in the first half falls in the second: to sell short is wrong, then right.
    drift = np.where(np.arange(1200) < 600, 0.002, -0.002)
    returns = drift + np.random.default_rng(5).normal(0.0, 0.004, 1200)
    panel, splits = of_closes(100.0 * np.exp(returns.cumsum())), walk_forward_splits(1200, 250, 100)
    space = {"lookback": (10,), "skip": (0,), "short": (0, 1)}
    found = walk_forward(panel, find("momentum"), space, splits, sizing=ALL_IN, costs=FREE, cash=CASH, warm=20)
    assert found.windows[0].params["short"] == 0.0
    assert found.windows[-1].params["short"] == 1.0
    for w in found.windows:
        assert w.train_after <= w.test_first
        assert w.in_sample == np.nanmax(found.train_scores[w.number])
    # The window whose test rows turn round is punished, which scoring in sample would hide.
    turning = next(w for w in found.windows if w.test_first <= 600 < w.test_after)
    assert turning.degradation is not None
    assert turning.degradation < 0.0


def test_04_a_sweep_runs_the_strategy_it_names_with_its_own_parameters() -> None:
    panel = practice_panel(1, 700)
    runs = sweep(
        panel, find("multi_indicator"), Grid({"agree": (1, 2)}), costs=FREE, initial_cash=CASH, workers=1
    ).runs  # fmt: skip
    own = [float(ran(panel, "multi_indicator", agree=agree).final_equity) for agree in (1, 2)]
    assert runs["final_equity"].to_list() == own
    assert own[0] != own[1]


def test_04_the_benchmark_is_the_market_whatever_the_strategy() -> None:
    panel = practice_panel(2, 400)
    held = buy_and_hold(panel, FREE, CASH) / 1e8
    # Half of the cash in each at the first close, bought at the next open.
    gains = (panel.values[-1, :, CLOSE] - panel.values[1, :, OPEN]) / panel.values[0, :, CLOSE]
    assert held[-1] / held[0] - 1.0 == pytest.approx(gains.mean(), abs=2e-3)


@pytest.mark.parametrize("block", [1.0, 20.0])
def test_05_resampled_accounts_are_as_volatile_as_the_returns_they_are_drawn_from(block: float) -> None:
    returns = np.random.default_rng(8).normal(0.0004, 0.01, 1000)
    found = resample_bars(returns, block=block, paths=2000, ruin=0.0)
    low, high = (math.log(found.terminal_quantiles[q]) for q in (0.05, 0.95))
    expected = 2.0 * 1.6449 * np.log1p(returns).std() * math.sqrt(1000)
    assert high - low == pytest.approx(expected, rel=0.15)
    trades = resample_trades(returns, paths=2000, ruin=0.0)
    low, high = (math.log(trades.terminal_quantiles[q]) for q in (0.05, 0.95))
    assert high - low == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("name", ["pairs", "momentum", "mean_reversion"])
def test_06_results_of_trades_and_all_costs_are_the_change_of_equity(name: str) -> None:
    panel = practice_panel(2, 800)
    costs = Costs(commission_bps=Decimal(10), slippage_bps=Decimal(5))
    values = {"entry": 0.5, "exit": 0.2} if name == "pairs" else {"short": 1.0}
    result = ran(panel, name, costs, **values)
    trips = round_trips(result.executions, Tape.of(panel, costs).units)
    still, marks = trips.still_open, Tape.of(panel, costs).marks()[-1]
    unreal = still.side * (marks[still.column] - still.entry_ticks) * still.lots * still.unit - still.commission
    change = int(result.equity_quanta[-1]) - int(CASH * 10**8)
    assert int(trips.closed.profit_quanta.sum()) + int(unreal.sum()) == change
    assert len(trips.closed) > 10
    assert result.executions[:, 5].min() > 0
    # Every fill pays the slippage of its side: buys above the open, sales below it.
    rows, columns, sides, ticks = result.executions[:, [0, 1, 2, 4]].T
    opens = panel.ticks()[rows, columns, OPEN]
    assert (sides * (ticks - opens) > 0).all()


@pytest.mark.parametrize("text", ["2020-13-45", "last year", "2020..2021"])
def test_07_a_period_that_cannot_be_read_is_an_error_and_no_default(text: str) -> None:
    with pytest.raises(NeuralTraderError, match="start"):
        load_settings(None, {"data.start": text})


def test_07_bars_that_cannot_be_had_are_an_error_and_not_made_up() -> None:
    with pytest.raises(NeuralTraderError):
        load_panel("no-such-place")
    with pytest.raises(NeuralTraderError, match="NOSUCH"):
        load_panel("sp500", symbols=["NOSUCH"])


def test_10_a_risk_free_rate_is_annual_and_the_downside_counts_every_bar() -> None:
    returns = np.random.default_rng(9).normal(0.001, 0.01, 500)
    equity = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    found = measure(equity, 252.0, risk_free=0.05)
    excess = returns - (1.05 ** (1.0 / 252.0) - 1.0)
    assert found.sharpe == pytest.approx(excess.mean() / excess.std(ddof=1) * math.sqrt(252), rel=1e-9)
    plain = measure(equity, 252.0)
    downside = math.sqrt((np.minimum(returns, 0.0) ** 2).sum() / 500)
    assert plain.sortino == pytest.approx(returns.mean() / downside * math.sqrt(252), rel=1e-9)


def test_16_a_steady_small_trend_is_held_though_it_never_moves_by_half() -> None:
    returns = 0.001 + np.random.default_rng(10).normal(0.0, 0.001, 400)
    targets, confidences = votes(find("momentum"), 100.0 * np.exp(returns.cumsum()), lookback=60, entry=1.0, exit=0.5)
    known = confidences > 0.0
    assert targets[known].tolist() == [1.0] * int(known.sum())
    # The unit of entry and confidence is the score: the same moves ten times as large give the same votes.
    tenfold = votes(find("momentum"), np.exp(10.0 * returns.cumsum()), lookback=60, entry=1.0, exit=0.5)
    np.testing.assert_allclose(tenfold[1], confidences, rtol=1e-6)


def test_17_the_same_shape_is_found_whatever_its_size_and_every_pattern_has_the_same_features() -> None:
    params = find("mirror").vector({"window": 20, "lookback": 30, "horizon": 1})
    shape = np.sin(np.linspace(0.0, 5.0, 20))
    closes = np.random.default_rng(11).normal(0.0, 0.05, int(history(params))).cumsum()
    closes[5:25], closes[-20:] = 7.0 + 0.001 * shape, 2.0 + 0.3 * shape
    alike = np.zeros(30)
    compare(closes, params, alike)
    assert alike[5] == pytest.approx(1.0, abs=1e-9)
    assert np.argmax(alike) == 5
    assert np.isfinite(alike).all()
    assert sorted(alike)[-2] < 0.99


def test_18_a_slow_pair_is_found_and_noise_on_two_walks_is_none() -> None:
    generator = np.random.default_rng(12)
    strategy, said = find("pairs"), {}
    for slow in (True, False):
        shares, crossings = [], []
        for _ in range(20):
            b = generator.normal(0.0, 0.01, 900).cumsum()
            gap, noise = np.zeros(900), generator.normal(0.0, 0.01, 900)
            for t in range(1, 900):
                gap[t] = (0.9 if slow else 1.0) * gap[t - 1] + noise[t]
            if not slow:
                gap = gap / 3.0 + generator.normal(0.0, 0.01, 900)
            prices = np.exp(4.0 + np.column_stack([b + gap, b]))
            shares.append((votes(strategy, prices, lookback=500, refit=50, lags=6)[1] > 0.0)[500:].mean())
            crossings.append((np.diff(np.sign(gap - gap.mean())) != 0).mean())
        said[slow] = (np.mean(shares), np.mean(crossings))
    assert said[True][0] > 0.8
    assert said[False][0] < 0.3
    # The pair that returns crosses its mean on so few bars that a count of crossings would refuse it.
    assert said[True][1] < 0.3


def test_27_no_news_is_no_neutral_opinion() -> None:
    sentiment = find("sentiment")
    closes = np.full(20, 10.0)
    silent = votes(sentiment, closes, np.full(20, np.nan))
    neutral = votes(sentiment, closes, np.zeros(20))
    assert silent[1].tolist() == [0.0] * 20
    assert neutral[1].min() > 0.0
    assert neutral[0].tolist() == [0.0] * 20


@pytest.mark.parametrize("name", ["sentiment", "neural_forecast"])
def test_27_a_missing_score_or_forecast_is_an_error_and_not_nought(name: str) -> None:
    with pytest.raises(MissingInputError, match=find(name).inputs[0]):
        ran(practice_panel(1, 50), name)
