from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.risk.exposure import Exposure
from nt_ray.risk.historical import historical_es, historical_var
from nt_ray.risk.scenario_table import ScenarioTable, past_returns
from nt_ray.risk.tail_books import TailBooks
from nt_ray.types import FloatArray

SYMBOLS = ("KO", "PEP", "XOM")
RETURNS = np.random.default_rng(5).standard_t(4, (130, 3)) @ np.array(
    [[0.01, 0.004, 0], [0, 0.01, 0.002], [0, 0, 0.02]]
)
TABLE = ScenarioTable(SYMBOLS, RETURNS, 0.95)

MOVES = st.lists(
    st.tuples(
        st.sampled_from(["position", "open", "mark"]), st.sampled_from(SYMBOLS), st.integers(-20, 20), st.booleans()
    ),
    max_size=25,
)


def exposure_after(moves: list[tuple[str, str, int, bool]], books: list[TailBooks]) -> Exposure:
    """An account that is followed from its second move on."""
    exposure = Exposure()
    exposure.mark({symbol: Decimal(50) for symbol in SYMBOLS})
    books.append(TailBooks(TABLE, exposure))
    for what, symbol, number, buys in moves:
        if what == "position":
            exposure.move(symbol, Decimal(number))
        elif what == "open":
            exposure.open(symbol, 1 if buys else -1, Decimal(abs(number)))
        else:
            exposure.mark({symbol: Decimal(50 + number)})
        books[0].follow()
    return exposure


def worst(exposure: Exposure, symbol: str, value: float) -> list[FloatArray]:
    """Profits of the three books with an order in them, computed anew."""
    books = []
    for kind in ("held", "longest", "shortest"):
        values = []
        for name in SYMBOLS:
            line = exposure.peek(name)
            quantity = {
                "held": line.position,
                "longest": line.position + line.buys,
                "shortest": line.position - line.sells,
            }[kind]
            values.append(float(quantity * (line.mark or 0)))
        if kind != ("shortest" if value > 0 else "longest"):
            values[SYMBOLS.index(symbol)] += value
        books.append(RETURNS @ np.array(values))
    return books


@settings(max_examples=60)
@given(MOVES, st.sampled_from(SYMBOLS), st.integers(-30, 30).filter(bool))
def test_the_bound_holds_and_the_exact_figure_is_that_of_the_worst_book(
    moves: list[tuple[str, str, int, bool]], symbol: str, quantity: int
) -> None:
    followed: list[TailBooks] = []
    exposure = exposure_after(moves, followed)
    value = 50.0 * quantity
    profits = worst(exposure, symbol, value)
    books = followed[0]
    unit = (books.bought if value > 0 else books.sold)[symbol]
    bound = books.worst + unit * abs(value)
    assert bound >= max(historical_es(p, 0.95) for p in profits) - 1e-6
    assert books.var(symbol, value) == pytest.approx(max(historical_var(p, 0.95) for p in profits), abs=1e-6)
    # Exact bounds of what is there are never wider than the ones that were carried along.
    assert books.worst + unit * abs(value) <= bound + 1e-6


@settings(max_examples=30)
@given(st.integers(20, 300), st.sampled_from([0.8, 0.9, 0.95]), st.integers(0, 1000))
def test_the_table_counts_its_tail_like_every_other_measure(scenarios: int, confidence: float, seed: int) -> None:
    returns = np.random.default_rng(seed).standard_normal((scenarios, 2))
    table = ScenarioTable(("A", "B"), returns, confidence)
    values = np.array([[3.0, -2.0], [0.0, 0.0], [0.0, -1.0]])
    for book, var, shortfall in zip(values, table.var(values), table.shortfall(values), strict=True):
        assert var == pytest.approx(historical_var(returns @ book, confidence), abs=1e-12)
        assert shortfall == pytest.approx(historical_es(returns @ book, confidence), abs=1e-12)
    assert table.alone("B", -1.0) == pytest.approx(historical_es(-returns[:, 1], confidence), abs=1e-12)


def test_a_position_without_scenarios_is_named_until_it_is_closed() -> None:
    exposure = Exposure()
    exposure.mark({"KO": Decimal(50), "NEW": Decimal(10)})
    books = TailBooks(TABLE, exposure)
    exposure.move("NEW", Decimal(3))
    books.follow()
    assert books.unknown == {"NEW"}
    exposure.move("NEW", Decimal(0))
    books.follow()
    assert books.unknown == set()


def test_past_returns_leave_out_rows_without_a_price_and_look_no_further_back_than_asked() -> None:
    closes = np.array([[1.0, 9.0], [2.0, np.nan], [4.0, 3.0], [5.0, 6.0], [10.0, 3.0]])
    assert past_returns(closes, 2).tolist() == [[0.25, 1.0], [1.0, -0.5]]
    assert past_returns(closes, 100).tolist() == [[0.25, 1.0], [1.0, -0.5]]


@pytest.mark.parametrize(
    ("symbols", "returns", "confidence", "what"),
    [
        (("A",), np.zeros((19, 1)), 0.95, "19 observations holds less than one"),
        (("A", "A"), np.zeros((100, 2)), 0.95, "one name for each"),
        (("A",), np.full((100, 1), np.nan), 0.95, "not a number"),
        (("A",), np.zeros((100, 1)), 0.5, "between 0.5 and 1"),
    ],
)
def test_scenarios_that_cannot_be_used_are_refused(
    symbols: tuple[str, ...], returns: FloatArray, confidence: float, what: str
) -> None:
    with pytest.raises(RiskError, match=what):
        ScenarioTable(symbols, returns, confidence)
