import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.backtest.assignment import AssignmentError, Stretch, assignments, grids, numbers


def test_terms_are_numbers_and_stretches() -> None:
    assert assignments(["lookback=20:200:20", " entry = 0.5, 1:2 ", "exit=0.01:0.2:log"]) == {
        "lookback": (Stretch(Decimal(20), Decimal(200), Decimal(20)),),
        "entry": (Decimal("0.5"), Stretch(Decimal(1), Decimal(2))),
        "exit": (Stretch(Decimal("0.01"), Decimal("0.2"), log=True),),
    }


def test_stretches_are_counted_out_with_both_ends_and_no_drift() -> None:
    assert grids(["lookback=20:200:20", "entry=0.1:0.7:0.1", "skip = 0, 5:7", "one=3:3"]) == {
        "lookback": tuple(range(20, 201, 20)),
        "entry": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
        "skip": (0.0, 5.0, 6.0, 7.0),
        "one": (3.0,),
    }


@given(first=st.integers(-500, 500), step=st.integers(1, 99), steps=st.integers(0, 50), places=st.integers(0, 6))
def test_a_stretch_holds_what_exact_decimals_give(first: int, step: int, steps: int, places: int) -> None:
    low, width = Decimal(first).scaleb(-places), Decimal(step).scaleb(-places)
    expected = [float(Decimal(first + i * step).scaleb(-places)) for i in range(steps + 1)]
    assert list(grids([f"x={low:f}:{low + steps * width:f}:{width:f}"])["x"]) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lookback", "has no NAME=VALUES form"),
        ("=3", "has no NAME=VALUES form"),
        ("lookback=", "has no NAME=VALUES form"),
        ("lookback=a", "'a' is no number"),
        ("lookback=1,,2", "'' is no number"),
        ("lookback=nan", "'nan' is no number"),
        ("lookback=1:inf:1", "'inf' is no number"),
        ("lookback=9:1:1", "'9:1:1' is no range"),
        ("lookback=1:9:0", "'1:9:0' is no range"),
        ("lookback=1:9:1:1", "'1:9:1:1' is no range"),
        ("lookback=0:9:log", "'0:9:log' is no range"),
        ("lookback=1:9:log", "cannot be counted out"),
        ("lookback=0:1:0.0000001", "has 10,000,001 values"),
        ("lookback=1,1", "has the value 1 twice"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_text(text: str, says: str) -> None:
    with pytest.raises(AssignmentError, match=re.escape(says)):
        grids([text])


def test_a_name_stands_once() -> None:
    with pytest.raises(AssignmentError, match="entry is given twice"):
        grids(["entry=1", "entry=2"])


def test_a_single_run_takes_one_number_for_each_name() -> None:
    assert numbers(["lookback=20", "entry=0.5"]) == {"lookback": 20.0, "entry": 0.5}
    for text in ("lookback=1,2", "lookback=1:2"):
        with pytest.raises(AssignmentError, match=f"{text} is not one number"):
            numbers([text])
