from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from nt_ray.backtest.look_ahead import (
    Outputs,
    default_cuts,
    first_leak,
    frozen_arrays,
    strategy_outputs,
)
from nt_ray.backtest.practice import practice_panel
from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.base import STEP_SIGNATURE, Strategy
from nt_ray.strategies.fault import StepError
from nt_ray.strategies.registry import STRATEGIES, find
from nt_ray.types import FloatArray

PANEL = practice_panel(2, 300, ("forecast", "score"))
FUTURE = PANEL.closes[:, 0].copy()
"""What a cheating step below reads: the whole series, the bars to come among them."""

TABLE = np.linspace(0.0, 1.0, 12)


@njit(STEP_SIGNATURE)
def peeking(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    t = int(state[0])
    state[0] += 1.0
    targets[0] = np.sign(FUTURE[min(t + 1, len(FUTURE) - 1)] - FUTURE[t])
    return 1.0


@njit(STEP_SIGNATURE)
def honest(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    targets[0] = TABLE[3] if bar[0, 3] > state[0] else -TABLE[3]
    state[0] = bar[0, 3]
    return 1.0


@njit(STEP_SIGNATURE)
def peeking_through_another(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    return float(peeking(state, bar, params, targets))


@njit(STEP_SIGNATURE)
def nonsense(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    state[0] += 1.0
    targets[0] = np.nan if state[0] == 50.0 else 0.5
    return 1.0


@njit(STEP_SIGNATURE)
def raising(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    state[0] += 1.0
    if state[0] == 50.0:
        raise ValueError("no")
    return 1.0


def unchanged(panel: BarPanel) -> BarPanel:
    return panel


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_no_strategy_looks_ahead_or_holds_data(strategy: object) -> None:
    found = find(strategy.name)  # type: ignore[attr-defined]
    panel = practice_panel(found.width, 400, found.inputs)
    assert first_leak(panel, strategy_outputs(found, found.vector(), unchanged), (100, 333)) is None
    assert frozen_arrays(found.step) == []


def test_a_plain_function_that_peeks_is_caught_at_its_bar() -> None:
    def produce(panel: BarPanel) -> Outputs:
        closes = panel.closes[:, 0]
        return {"target": np.sign(np.append(np.diff(closes), 0.0))}

    leak = first_leak(PANEL, produce)
    assert leak is not None
    assert (leak.field, leak.cut - leak.row) == ("target", 1)
    assert leak.cut == default_cuts(300)[0]
    assert "target at bar" in leak.sentence()


def test_a_column_prepared_over_the_whole_panel_is_caught_before_the_vote_it_moves() -> None:
    strategy = replace(find("neural_forecast"))
    bare = practice_panel(1, 300)

    def cheating(panel: BarPanel) -> BarPanel:
        closes = panel.closes
        ahead = np.vstack([closes[3:] / closes[:-3] - 1.0, np.zeros((3, 1))])
        return panel.with_field("forecast", ahead)

    def fair(panel: BarPanel) -> BarPanel:
        behind = np.vstack([np.zeros((3, 1)), panel.closes[3:] / panel.closes[:-3] - 1.0])
        return panel.with_field("forecast", behind)

    leak = first_leak(bare, strategy_outputs(strategy, strategy.vector(), cheating))
    assert leak is not None
    assert leak.field == "field forecast"
    assert 1 <= leak.cut - leak.row <= 3
    assert first_leak(bare, strategy_outputs(strategy, strategy.vector(), fair)) is None


def test_a_statistic_of_the_whole_series_is_caught() -> None:
    def produce(panel: BarPanel) -> Outputs:
        closes = panel.closes
        return {"z": (closes - closes.mean(axis=0)) / closes.std(axis=0)}

    leak = first_leak(PANEL, produce, (200,))
    assert leak is not None
    assert leak.row == 0
    assert leak.cut == 200


def test_a_use_of_volume_or_of_a_field_ahead_is_caught() -> None:
    for field in ("volume", "score"):
        leak = first_leak(PANEL, lambda p, f=field: {"x": np.roll(p.field(f), -1, axis=0)})  # type: ignore[misc]
        assert leak is not None


def test_a_step_that_peeks_through_a_global_array_is_caught() -> None:
    assert frozen_arrays(peeking) == ["peeking reads FUTURE (300 numbers)"]
    assert frozen_arrays(peeking_through_another) == ["peeking reads FUTURE (300 numbers)"]
    assert frozen_arrays(honest) == []


def test_a_step_that_peeks_through_a_closure_is_caught() -> None:
    stolen = FUTURE * 2.0

    def step(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
        targets[0] = stolen[int(state[0]) + 1]
        return 1.0

    assert frozen_arrays(njit(STEP_SIGNATURE)(step)) == ["step reads stolen (300 numbers)"]


def test_nan_is_nan_and_zero_is_not_minus_zero() -> None:
    assert first_leak(PANEL, lambda p: {"x": np.full(len(p), np.nan)}) is None
    leak = first_leak(PANEL, lambda p: {"x": np.full(len(p), 0.0 if len(p) == 300 else -0.0)})
    assert leak is not None


def test_impossible_cuts_and_outputs_are_named() -> None:
    with pytest.raises(BadInputError, match="do not all lie within"):
        first_leak(PANEL, lambda p: {}, (0,))
    with pytest.raises(BadInputError, match="no past and future"):
        default_cuts(1)
    with pytest.raises(BadInputError, match="fewer rows than bars"):
        first_leak(PANEL, lambda p: {"x": np.zeros(len(p) if len(p) == 300 else 1)})


def test_practice_bars_are_bars_and_the_same_for_the_same_seed() -> None:
    again = practice_panel(2, 300, ("forecast", "score"))
    assert again.values.tobytes() == PANEL.values.tobytes()
    assert practice_panel(2, 300, seed=8).values.tobytes() != practice_panel(2, 300).values.tobytes()
    opens, highs, lows, closes = (PANEL.values[:, :, i] for i in range(4))
    assert (highs >= np.maximum(opens, closes)).all()
    assert (lows <= np.minimum(opens, closes)).all()
    assert (lows > 0.0).all()
    assert np.abs(PANEL.field("score")).max() <= 1.0
    with pytest.raises(BadInputError, match="no panel"):
        practice_panel(0, 10)


@pytest.mark.parametrize(("step", "said"), [(nonsense, "the target nan"), (raising, "ValueError")])
def test_a_step_that_goes_wrong_is_named_with_symbol_and_bar(step: object, said: str) -> None:
    strategy = Strategy("mine", "", "", (), 1, lambda params: 1, step)
    with pytest.raises(StepError, match=said) as caught:
        first_leak(PANEL, strategy_outputs(strategy, strategy.vector(), unchanged))
    assert f"{PANEL.symbols[0]} at {PANEL.time(49).isoformat()} (bar 49" in str(caught.value)
