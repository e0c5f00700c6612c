import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skfolio
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from nt_ray.backtest.simulator import (
    COLUMN,
    COMMISSION,
    LOTS,
    ROW,
    SIDE,
    TICKS,
    BacktestResult,
    backtest,
)
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import BadInputError, StrategyError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.portfolio.sizing import SizingParams, target_lots, volatility_path
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.registry import STRATEGIES, find
from nt_ray.types import FloatArray

START = 1_577_836_800_000_000_000
DAY = 86_400_000_000_000
COSTS = Costs(Decimal("1.5"), Decimal("0.005"), Decimal("1"), Decimal("2.5"), Decimal("0.1"))
FREE = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(1))
LOOSE = SizingParams(
    target_volatility=0.5, max_weight=1.0, max_gross=2.0, max_net=2.0, rebalance_band=0.0, volatility_halflife=20.0
)
TIGHT = SizingParams(
    target_volatility=0.3,
    max_weight=0.5,
    max_position=20_000.0,
    max_gross=0.8,
    max_net=0.2,
    rebalance_band=0.05,
    volatility_halflife=5.0,
)


@njit(STEP_SIGNATURE)
def swing(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Targets that wander over the whole range with time, abstaining now and then."""
    state[0] += 1.0
    for i in range(targets.shape[0]):
        targets[i] = math.sin(state[0] * params[0] + 2.0 * i)
        if np.isnan(bar[i, 3]):
            targets[i] = 0.0
    return 0.0 if state[0] % params[1] == 0.0 else 0.7


@njit(STEP_SIGNATURE)
def fixed(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """The same vote on every bar: the parameters."""
    targets[:] = params[0]
    return float(params[1])


@njit(STEP_SIGNATURE)
def until(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """Fully long for the first bars, then flat with the confidence given."""
    state[0] += 1.0
    early = state[0] <= params[0]
    targets[0] = 1.0 if early else 0.0
    return 1.0 if early else float(params[1])


@njit(STEP_SIGNATURE)
def by_volume(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    """A target written into the volume of the bar."""
    targets[0] = bar[0, 4]
    return 1.0


def toy(step: Any, width: int = 1) -> Strategy:
    parameters = (Parameter("a", 0.3, -1e9, 1e9, "First."), Parameter("b", 5.0, -1e9, 1e9, "Second."))
    return Strategy("toy", "Toy.", "None.", parameters, width, lambda params: 1, step)


def panel_of(values: FloatArray, instruments: Sequence[Instrument]) -> BarPanel:
    times = START + DAY * np.arange(len(values), dtype=np.int64)
    return BarPanel(tuple(instruments), times, np.ascontiguousarray(values), 252.0, "test")


INSTRUMENTS = (
    Instrument("ONE", Decimal("0.01")),
    Instrument("TWO", Decimal("0.0001"), close_only=True),
    Instrument("TRI", Decimal("0.5"), Decimal("0.001")),
)


def random_panel(seed: int, bars: int, missing: float, volume: int) -> BarPanel:
    """Bars on whole ticks, some missing, one instrument with closes only, with the odd gap in the opens."""
    generator = np.random.default_rng(seed)
    values = np.full((bars, 3, 5), np.nan)
    for i, instrument in enumerate(INSTRUMENTS):
        tick = float(instrument.price_increment)
        close = np.maximum(np.rint(100.0 / tick * np.exp(generator.normal(0, 0.03, bars).cumsum())), 3.0)
        opening = np.maximum(close + np.rint(close * generator.normal(0, 0.01, bars)), 2.0)
        values[:, i, 3] = close * tick
        if not instrument.close_only:
            values[:, i, 0] = opening * tick
            values[:, i, 1] = np.maximum(opening, close) * tick
            values[:, i, 2] = np.minimum(opening, close) * tick
            values[:, i, 4] = generator.integers(0, volume, bars)
        values[generator.random(bars) < missing, i] = np.nan
    values[generator.random((bars, 3)) < missing / 4.0, 0] = np.nan
    return panel_of(values, INSTRUMENTS)


@dataclass
class Reference:
    """The rules of a backtest in plain Python and `Decimal`."""

    panel: BarPanel
    costs: Costs
    cash: Decimal

    def __post_init__(self) -> None:
        self.lots = [0] * len(self.panel.instruments)
        self.orders = [0] * len(self.panel.instruments)
        self.marks: list[Decimal | None] = [None] * len(self.panel.instruments)
        self.fills: list[tuple[Any, ...]] = []
        self.equity: list[Decimal] = []

    def price(self, row: int, column: int, field: int) -> Decimal | None:
        value = float(self.panel.values[row, column, field])
        if math.isnan(value):
            return None
        tick = self.panel.instruments[column].price_increment
        return (Decimal(repr(value)) / tick).to_integral_value() * tick

    def match(self, row: int) -> None:
        for column, instrument in enumerate(self.panel.instruments):
            order = self.orders[column]
            first = self.price(row, column, 3 if instrument.close_only else 0)
            if order == 0 or first is None:
                continue
            side = 1 if order > 0 else -1
            tick = instrument.price_increment
            slip = (first * self.costs.slippage_bps / 10_000 / tick).to_integral_value(ROUND_CEILING) * tick
            price = max(first + side * slip, tick)
            lots = abs(order)
            volume = float(self.panel.values[row, column, 4])
            if not math.isnan(volume):
                share = Decimal(int(volume)) * self.costs.volume_share / instrument.quantity_increment
                lots = min(lots, int(share.to_integral_value(ROUND_FLOOR)))
            if lots == 0:
                continue
            quantity = lots * instrument.quantity_increment
            fee = price * quantity * self.costs.commission_bps / 10_000
            fee = max(fee + quantity * self.costs.commission_per_unit, self.costs.commission_minimum)
            fee = fee.quantize(Decimal("0.01"), ROUND_HALF_UP)
            self.cash -= side * price * quantity + fee
            self.lots[column] += side * lots
            self.fills.append((row, instrument.symbol, side, quantity, price, fee))

    def mark(self, row: int) -> Decimal:
        total = self.cash
        for column, instrument in enumerate(self.panel.instruments):
            close = self.price(row, column, 3)
            self.marks[column] = self.marks[column] if close is None else close
            if self.lots[column]:
                total += self.lots[column] * instrument.quantity_increment * (self.marks[column] or Decimal(0))
        return total

    def run(self, strategy: Strategy, params: FloatArray, columns: Sequence[int], sizing: SizingParams) -> "Reference":
        closes = np.array(self.panel.closes)
        volatility = volatility_path(closes, self.panel.periods_per_year, sizing.volatility_halflife)
        sizes = np.array([float(i.quantity_increment) for i in self.panel.instruments])
        width = strategy.width
        groups = [list(columns[i : i + width]) for i in range(0, len(columns), width)]
        states = [np.zeros(strategy.state_size(params)) for _ in groups]
        for row in range(len(self.panel)):
            self.match(row)
            self.equity.append(self.mark(row))
            exposures = np.full(len(closes[0]), np.nan)
            for group, state in zip(groups, states, strict=True):
                targets = np.zeros(width)
                bar = np.array(self.panel.values[row, group])
                confidence = strategy.step(state, bar, params, targets)
                if round(confidence * 2**20):
                    exposures[group] = [round(x * 2**15) / 2**15 for x in targets.tolist()]
            equity = int(self.equity[-1].scaleb(8))
            present = np.array(self.lots)
            wanted = target_lots(exposures, closes[row], volatility[row], present, sizes, equity, sizing.vector())
            self.orders = (wanted - present).tolist()
        return self


def assert_same(result: BacktestResult, reference: Reference) -> None:
    table = result.fills()
    sides = [1 if side == "buy" else -1 for side in table["side"]]
    found = zip(
        table["row"],
        table["symbol"],
        sides,
        table["quantity"],
        table["price"],
        table["commission"],
        strict=True,
    )
    assert list(found) == reference.fills
    assert [Decimal(int(q)).scaleb(-8) for q in result.equity_quanta] == reference.equity
    assert result.positions[-1].tolist() == reference.lots
    assert result.cash_quanta[-1] == reference.cash.scaleb(8)


def run(panel: BarPanel, strategy: Strategy, **changes: Any) -> BacktestResult:
    options: dict[str, Any] = {"sizing": LOOSE, "costs": COSTS, "initial_cash": Decimal(100_000)}
    params = changes.pop("params", strategy.vector())
    return backtest(panel, strategy, params, **options | changes)


@pytest.fixture(scope="module")
def real() -> BarPanel:
    path = Path(skfolio.__file__).parent / "datasets" / "data" / "sp500_dataset.csv.gz"
    closes = pl.read_csv(path).drop("Date").tail(2500)
    values = np.full((2500, 20, 5), np.nan)
    values[:, :, 3] = closes.to_numpy()
    return panel_of(values, [Instrument(s, close_only=True) for s in closes.columns])


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_real_data_agree_with_plain_decimals_to_the_last_quantum(real: BarPanel, strategy: Strategy) -> None:
    cash, sizing = Decimal(1_000_000), SizingParams()
    panel = real
    for name in strategy.inputs:
        panel = panel.with_field(name, np.sin(real.closes))
    result = run(panel, strategy, sizing=sizing, initial_cash=cash)
    reference = Reference(panel, COSTS, cash).run(strategy, strategy.vector(), range(20), sizing)
    assert len(reference.fills) > 50
    assert_same(result, reference)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    missing=st.sampled_from([0.0, 0.05, 0.4]),
    volume=st.sampled_from([50, 5_000, 10_000_000]),
    speed=st.sampled_from([0.05, 0.4, 1.3]),
    width=st.sampled_from([1, 2, 3]),
    sizing=st.sampled_from([LOOSE, SizingParams(), TIGHT]),
    costs=st.sampled_from([COSTS, FREE, Costs()]),
    cash=st.sampled_from(["100000", "2500.55", "0.00000001"]),
)
def test_random_bars_agree_with_plain_decimals_to_the_last_quantum(
    seed: int,
    missing: float,
    volume: int,
    speed: float,
    width: int,
    sizing: SizingParams,
    costs: Costs,
    cash: str,
) -> None:
    panel = random_panel(seed, 70, missing, volume)
    strategy = toy(swing, width)
    params = strategy.vector({"a": speed, "b": 7.0})
    columns = np.random.default_rng(seed).permutation(3)[: 3 - 3 % width].tolist()
    result = run(
        panel,
        strategy,
        params=params,
        symbols=columns,
        sizing=sizing,
        costs=costs,
        initial_cash=Decimal(cash),
    )
    assert_same(result, Reference(panel, costs, Decimal(cash)).run(strategy, params, columns, sizing))


def test_the_random_bars_have_partial_and_missing_fills() -> None:
    panel = random_panel(5, 70, 0.1, 5_000)
    result = run(panel, toy(swing), initial_cash=Decimal(10_000_000))
    volume = panel.values[result.executions[:, ROW], result.executions[:, COLUMN], 4]
    capped = result.executions[:, LOTS] == np.floor(volume * 0.1)
    assert capped.any()
    assert not capped.all()
    assert len(set(result.executions[:, COLUMN].tolist())) == 3


@pytest.mark.parametrize("seed", range(5))
def test_cash_moves_by_the_fills_alone_and_equity_is_cash_plus_marks(seed: int) -> None:
    panel = random_panel(seed, 200, 0.1, 100_000)
    result = run(panel, toy(swing))
    fills = result.executions
    units = np.array([i.notional_unit for i in panel.instruments])
    flows = fills[:, SIDE] * fills[:, LOTS] * fills[:, TICKS] * units[fills[:, COLUMN]] + fills[:, COMMISSION]
    by_row = np.bincount(fills[:, ROW], weights=flows.astype(np.float64), minlength=200)
    assert result.cash_quanta[-1] == 10**13 - int(flows.sum())
    assert np.flatnonzero(np.diff(result.cash_quanta)).tolist() == (np.flatnonzero(by_row[1:])).tolist()
    closes = pl.DataFrame(panel.ticks()[:, :, 3]).select(pl.all().replace(-1, None).forward_fill().fill_null(0))
    marks = closes.to_numpy()
    assert (result.cash_quanta + (result.positions * marks * units).sum(axis=1)).tolist() == (
        result.equity_quanta.tolist()
    )
    moved = np.zeros_like(result.positions)
    np.add.at(moved, (fills[:, ROW], fills[:, COLUMN]), fills[:, SIDE] * fills[:, LOTS])
    assert (moved.cumsum(axis=0) == result.positions).all()


def flat_panel(bars: int, closes: Any = None) -> BarPanel:
    """One close-only instrument that moves up and down one percent around 100, or has these closes."""
    values = np.full((bars, 1, 5), np.nan)
    values[:, 0, 3] = np.where(np.arange(bars) % 2, 101.0, 100.0) if closes is None else closes
    return panel_of(values, [Instrument("ONE", Decimal("0.01"), close_only=True)])


def test_an_order_is_filled_on_the_bar_after_its_decision_and_none_is_sent_on_the_last() -> None:
    panel = flat_panel(40)
    # Twenty returns, the first volatility, exist at row 20; the order of row 20 is filled on row 21.
    vote = toy(fixed)
    result = run(panel, vote, params=vote.vector({"a": 1.0, "b": 1.0}), costs=FREE)
    assert result.executions[0, ROW] == 21
    assert result.executions[0, TICKS] == 10_100
    assert not result.positions[:21].any()
    short = run(flat_panel(21), vote, params=vote.vector({"a": 1.0, "b": 1.0}), costs=FREE)
    assert len(short.executions) == 0
    assert short.fills().is_empty()
    assert short.final_equity == 100_000


def test_target_zero_closes_and_confidence_zero_holds() -> None:
    vote = toy(until)
    closed = run(flat_panel(60), vote, params=vote.vector({"a": 40.0, "b": 1.0}), costs=FREE)
    held = run(flat_panel(60), vote, params=vote.vector({"a": 40.0, "b": 0.0}), costs=FREE)
    assert closed.positions[:41].tolist() == held.positions[:41].tolist()
    assert closed.positions[40, 0] > 0
    assert not closed.positions[41:].any()
    assert set(held.positions[40:, 0].tolist()) == {int(held.positions[40, 0])}


def test_a_tiny_confidence_rounds_to_abstention_and_targets_to_fixed_point() -> None:
    vote = toy(fixed)
    panel = flat_panel(40)
    none = run(panel, vote, params=vote.vector({"a": 1.0, "b": 2.0**-22}))
    assert len(none.executions) == 0
    third = run(panel, vote, params=vote.vector({"a": 1.0 / 3.0, "b": 1.0}), costs=FREE)
    rounded = run(panel, vote, params=vote.vector({"a": 10923 / 32768, "b": 1.0}), costs=FREE)
    assert third.equity_quanta.tolist() == rounded.equity_quanta.tolist()


def test_an_order_on_a_bar_that_is_missing_expires() -> None:
    closes = np.where(np.arange(40) % 2, 101.0, 100.0)
    closes[21] = np.nan
    vote = toy(fixed)
    result = run(flat_panel(40, closes), vote, params=vote.vector({"a": 1.0, "b": 1.0}), costs=FREE)
    # Nothing on row 21, no price to size by there, so the next order is decided on row 22.
    assert result.executions[0, ROW] == 23
    assert result.equity_quanta[21] == result.equity_quanta[20]


@pytest.mark.parametrize("target", [math.nan, 1.0001, -2.0, math.inf])
def test_a_target_that_makes_no_sense_is_refused_with_its_place(target: float) -> None:
    panel = flat_panel(30)
    values = np.array(panel.values)
    values[:, 0, 4] = 0.0
    values[17, 0, 4] = target
    message = rf"toy gave the target {target:g} for ONE at {datetime(2020, 1, 18, tzinfo=UTC).isoformat()}"
    with pytest.raises(StrategyError, match=message.replace("+", r"\+")):
        run(panel_of(values, panel.instruments), toy(by_volume))


def test_a_step_that_raises_is_refused_with_its_place() -> None:
    def raising(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
        if bar[0, 4] == 7.0:
            raise ValueError("no")
        return 0.0

    panel = flat_panel(30)
    values = np.array(panel.values)
    values[17, 0, 4] = 7.0
    where = r"toy: the step raised ValueError \(no\) for ONE at 2020-01-18T00:00:00\+00:00 \(bar 17, close 101\)"
    with pytest.raises(StrategyError, match=where):
        run(panel_of(values, panel.instruments), toy(njit(STEP_SIGNATURE)(raising)))


@pytest.mark.parametrize("confidence", [math.nan, -0.1, 1.5])
def test_a_confidence_that_makes_no_sense_is_refused(confidence: float) -> None:
    vote = toy(fixed)
    params = np.array([0.0, confidence])
    with pytest.raises(StrategyError, match=f"the confidence {confidence:g} for ONE at 2020-01-01"):
        run(flat_panel(30), vote, params=params)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([0], "2 symbols"),
        ([], "2 symbols"),
        ([0, 9], "distinct"),
        ([1, 1], "distinct"),
        ([-1, 0], "distinct"),
    ],
)
def test_symbols_that_do_not_fit_are_refused(columns: list[int], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        run(random_panel(1, 30, 0.0, 100), find("pairs"), symbols=columns)


def test_all_columns_of_an_odd_panel_do_not_make_pairs() -> None:
    with pytest.raises(StrategyError, match="3 are given"):
        run(random_panel(1, 30, 0.0, 100), find("pairs"))


@pytest.mark.parametrize("cash", ["0", "-5", "NaN", "Infinity", "0.000000001", "50000000000"])
def test_cash_that_cannot_be_counted_is_refused(cash: str) -> None:
    with pytest.raises(BadInputError, match="Initial cash"):
        run(flat_panel(30), find("momentum"), initial_cash=Decimal(cash))


def test_parameters_of_the_wrong_number_are_refused() -> None:
    with pytest.raises(StrategyError, match="1 parameters given, it has 6"):
        run(flat_panel(30), find("momentum"), params=np.ones(1))


def test_an_account_that_outgrows_its_integers_stops() -> None:
    closes = np.concatenate([np.where(np.arange(30) % 2, 101.0, 100.0), 100.0 * 30.0 ** np.arange(8.0)])
    vote = toy(fixed)
    with pytest.raises(BadInputError, match="outgrows 46116860184"):
        run(
            flat_panel(38, closes),
            vote,
            params=vote.vector({"a": 1.0, "b": 1.0}),
            initial_cash=Decimal(1_000_000_000),
        )


def test_the_panel_and_the_parameters_are_left_as_they_were() -> None:
    panel = random_panel(3, 60, 0.1, 1000)
    strategy = toy(swing)
    params, before = strategy.vector(), panel.values.tobytes()
    params.setflags(write=False)
    first, second = (run(panel, strategy, params=params) for _ in range(2))
    assert panel.values.tobytes() == before
    assert first.equity_quanta.tolist() == second.equity_quanta.tolist()


def test_the_future_changes_nothing_before_it() -> None:
    panel = random_panel(9, 120, 0.05, 5_000)
    full = run(panel, toy(swing))
    for row in (30, 60, 119):
        values = np.array(panel.values)
        values[row:] *= 1.5
        other = run(panel_of(values, panel.instruments), toy(swing))
        assert other.equity_quanta[:row].tolist() == full.equity_quanta[:row].tolist()
        assert other.positions[:row].tolist() == full.positions[:row].tolist()
