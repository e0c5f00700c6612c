from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.backtest.round_trips import excursions, round_trips
from nt_ray.backtest.simulator import Tape, backtest
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.market.embedded import load_embedded
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find

UNITS = np.array([3, 100], dtype=np.int64)

EXECUTIONS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([-1, 1]), st.integers(1, 9), st.integers(1, 50), st.integers(0, 1000)),
    max_size=30,
).map(
    lambda rows: np.array([(i, c, side, n, ticks, fee) for i, (c, side, n, ticks, fee) in enumerate(rows)]).reshape(
        -1, 6
    )
)


@given(EXECUTIONS)
def test_round_trips_and_what_is_open_are_the_whole_account(executions: np.ndarray) -> None:
    trips = round_trips(executions, UNITS)
    marks = np.array([17, 23])
    cash = position_value = 0
    held = [0, 0]
    for _, column, side, lots, ticks, fee in executions.tolist():
        cash -= side * lots * ticks * int(UNITS[column]) + fee
        held[column] += side * lots
    position_value = sum(held[c] * int(marks[c]) * int(UNITS[c]) for c in (0, 1))
    still = trips.still_open
    open_result = still.side * (marks[still.column] - still.entry_ticks) * still.lots * still.unit - still.commission
    assert int(trips.closed.profit_quanta.sum()) + int(open_result.sum()) == cash + position_value
    assert trips.commission.sum() == executions[:, 5].sum()
    for column in (0, 1):
        mine = still.column == column
        assert int((still.side * still.lots)[mine].sum()) == held[column]
        assert len(set(still.side[mine].tolist())) <= 1


@given(EXECUTIONS)
def test_the_oldest_lots_go_first(executions: np.ndarray) -> None:
    trips = round_trips(executions, UNITS)
    for column in (0, 1):
        entries = trips.entry_row[trips.column == column]
        assert entries.tolist() == sorted(entries.tolist())
    assert np.all(trips.closed.holding > 0)


def test_a_position_that_turns_over_closes_before_it_opens() -> None:
    # Bought 5 at 10 and 5 at 12, sold 12 at 15: two round trips, and 2 short.
    executions = np.array([(1, 0, 1, 5, 10, 50), (2, 0, 1, 5, 12, 60), (4, 0, -1, 12, 15, 120)])
    trips = round_trips(executions, UNITS)
    closed, still = trips.closed, trips.still_open
    assert closed.lots.tolist() == [5, 5]
    assert closed.holding.tolist() == [3, 2]
    assert closed.commission.tolist() == [50 + 50, 60 + 50]
    assert closed.profit_quanta.tolist() == [5 * 5 * 3 - 100, 3 * 5 * 3 - 110]
    assert closed.returns.tolist() == [-25 / 150, -65 / 180]
    assert (still.side.tolist(), still.lots.tolist(), still.commission.tolist()) == ([-1], [2], [20])


def test_no_executions_are_no_round_trips() -> None:
    assert len(round_trips(np.zeros((0, 6), dtype=np.int64), UNITS)) == 0


def test_a_backtest_is_explained_by_its_round_trips_to_the_last_quantum() -> None:
    panel = load_embedded("sp500").select(["KO", "PEP"])
    pairs = find("pairs")
    result = backtest(
        panel,
        pairs,
        pairs.vector({"entry": 1.0}),
        sizing=SizingParams(max_weight=0.5),
        costs=Costs(commission_per_unit=Decimal("0.005")),
        initial_cash=Decimal(100_000),
    )
    tape = Tape.of(panel, Costs())
    trips = round_trips(result.executions, tape.units)
    still, marks = trips.still_open, tape.marks()[-1]
    open_result = still.side * (marks[still.column] - still.entry_ticks) * still.lots * still.unit - still.commission
    total = int(trips.closed.profit_quanta.sum()) + int(open_result.sum())
    assert len(trips.closed) > 50
    assert {-1, 1} == set(trips.side.tolist())
    assert total == int(result.equity_quanta[-1]) - 10**13


def bars(rows: list[tuple[float, float, float, float]]) -> BarPanel:
    values = np.array([[(*row, 1000.0)] for row in rows])
    instrument = Instrument("A", price_increment=Decimal(1))
    return BarPanel((instrument,), np.arange(len(rows), dtype=np.int64) + 1, values)


def test_excursions_count_the_bars_held_and_the_exit_price_alone() -> None:
    panel = bars([(100, 500, 1, 100), (100, 120, 90, 110), (110, 130, 105, 125), (95, 999, 2, 300)])
    long = round_trips(np.array([(1, 0, 1, 1, 100, 0), (3, 0, -1, 1, 95, 0)]), np.array([100]))
    adverse, favourable = excursions(long, panel)
    assert (adverse.tolist(), favourable.tolist()) == ([1.0 - 0.9], [130 / 100 - 1.0])
    short = round_trips(np.array([(2, 0, -1, 1, 110, 0), (3, 0, 1, 1, 95, 0)]), np.array([100]))
    adverse, favourable = excursions(short, panel)
    assert (adverse.tolist(), favourable.tolist()) == ([130 / 110 - 1.0], [1.0 - 95 / 110])


def test_close_only_bars_lend_their_closes() -> None:
    panel = bars([(np.nan, np.nan, np.nan, c) for c in (100.0, 80.0, 130.0, 110.0)])
    trips = round_trips(np.array([(0, 0, 1, 1, 100, 0), (3, 0, -1, 1, 110, 0)]), np.array([100]))
    adverse, favourable = excursions(trips, panel)
    assert (adverse[0], favourable[0]) == (1 - 80 / 100, 130 / 100 - 1)
