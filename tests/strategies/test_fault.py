import math
from dataclasses import replace

import numpy as np
import pytest

from nt_ray.backtest.practice import practice_panel
from nt_ray.market.bars import CLOSE
from nt_ray.strategies.base import Parameter, Strategy
from nt_ray.strategies.fault import find_fault
from nt_ray.strategies.registry import find
from nt_ray.types import FloatArray

PANEL = practice_panel(4, 50)


def made(step: object, width: int = 1) -> Strategy:
    return Strategy(
        "mine", "", "", (Parameter("at", 20, 0, 100, "Bar of the fault."),), width, lambda params: 1, step
    )  # fmt: skip


def raising(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    state[0] += 1.0
    if state[0] > params[0]:
        raise ValueError("no")
    return 1.0


def saying(target: float, confidence: float) -> object:
    def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
        state[0] += 1.0
        late = state[0] > params[0]
        targets[-1] = target if late else 0.5
        return confidence if late else 1.0

    return step


def place(row: int, columns: list[int]) -> str:
    symbols = "/".join(PANEL.symbols[c] for c in columns)
    closes = "/".join(f"{PANEL.values[row, c, CLOSE]:g}" for c in columns)
    return f"{symbols} at {PANEL.time(row).isoformat()} (bar {row}, close {closes})"


def found(strategy: Strategy, groups: list[list[int]], **rows: int) -> str:
    fault = find_fault(strategy, strategy.vector(), PANEL, groups, **rows)
    assert fault is not None
    return str(fault)


def test_a_step_that_raises_is_named_with_symbol_time_and_closes() -> None:
    text = found(made(raising, 2), [[1, 3]])
    assert f"mine: the step raised ValueError (no) for {place(20, [1, 3])}" in text


@pytest.mark.parametrize("target", [math.nan, 1.5, -math.inf])
def test_a_target_that_is_none_is_named_with_its_symbol(target: float) -> None:
    text = found(made(saying(target, 0.5), 2), [[2, 0]])
    assert f"gave the target {target:g} for {place(20, [0])}" in text


@pytest.mark.parametrize("confidence", [math.nan, -0.1, 2.0])
def test_a_confidence_that_is_none_is_named_with_the_symbols(confidence: float) -> None:
    assert f"the confidence {confidence:g} for {place(20, [1])}" in found(made(saying(0.0, confidence)), [[1]])


def test_the_first_bar_comes_before_the_first_group_and_rows_are_counted_from_where_it_begins() -> None:
    assert place(30, [0]) in found(made(raising), [[0], [1]], first=10)
    assert find_fault(made(raising), np.array([20.0]), PANEL, [[0]], after=20) is None
    values = PANEL.values.copy()
    values[5, 1, CLOSE] = 0.0

    def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
        state[0] += 1.0
        targets[0] = 2.0 if bar[0, CLOSE] == 0.0 or state[0] == 8.0 else 0.0
        return 1.0

    fault = find_fault(made(step), np.zeros(1), replace(PANEL, values=values), [[0], [1]])
    assert f"for {PANEL.symbols[1]} at {PANEL.time(5).isoformat()}" in str(fault)


def test_what_abstains_may_leave_anything_in_its_targets() -> None:
    assert find_fault(made(saying(math.nan, 0.0)), np.array([20.0]), PANEL, [[0]]) is None


def test_parameters_that_cannot_be_written_to_are_read_all_the_same() -> None:
    strategy = find("momentum")
    params = strategy.vector({"lookback": 10})
    params.setflags(write=False)
    assert find_fault(strategy, params, PANEL, [[0], [1]]) is None
