import dataclasses
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pytest
from numba import njit

from nt_ray.backtest.practice import practice_panel
from nt_ray.backtest.research.schedule import Stage, Stretch
from nt_ray.backtest.research.scores import SCORES
from nt_ray.backtest.research.splits import Split, walk_forward_splits
from nt_ray.backtest.research.study import Study, fit
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.bars import BarPanel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.strategies.fault import StepError
from nt_ray.strategies.registry import find
from nt_ray.types import FloatArray

SPACES: Mapping[str, Mapping[str, Sequence[float]]] = {
    "momentum": {"lookback": (10, 40, 90), "entry": (0.0, 0.5, 9.0), "short": (0, 1)},
    "sma_cross": {"fast": (3, 10), "slow": (20, 60)},
    "pairs": {"lookback": (40, 80), "refit": (5,), "level": (5, 10), "entry": (1.0,)},
    "neural_forecast": {"threshold": (0.1, 0.5), "window": (10, 30)},
}


def made(name: str, metric: str = "sharpe", warm: int = 60, sizing: SizingParams | None = None) -> Study:
    strategy = find(name)
    panel = practice_panel(strategy.width, 500, strategy.inputs)
    values = panel.values.copy()
    gone = np.random.default_rng(4).random(values.shape[:2]) < 0.03
    values[gone] = np.nan
    return Study.of(
        dataclasses.replace(panel, values=values),
        strategy,
        SPACES[name],
        sizing=sizing or SizingParams(max_weight=0.8),
        costs=Costs(commission_bps=Decimal(2), volume_share=Decimal("0.01")),
        cash=Decimal(100_000),
        metric=metric,
        warm=warm,
    )


def by_the_schedule(study: Study, stage: Stage, split: Split) -> FloatArray:
    first, after = max(int(split.train[0]), 1), int(split.train[-1]) + 1
    curves = [stage.run([Stretch(p, first, after)], warm=study.warm).equity for p in study.candidates]
    found = [study.score(curve) for curve in curves]
    return np.array([math.nan if f is None else f for f in found])


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("warm", [0, 60])
def test_candidates_score_as_the_schedule_scores_them_and_the_same_one_is_chosen(name: str, warm: int) -> None:
    sizing = SizingParams(target_volatility=math.inf, max_weight=1.0) if warm == 0 else None
    study = made(name, warm=warm, sizing=sizing)
    stage = study.stage()
    assert stage.training is not None
    for number, split in enumerate(walk_forward_splits(500, 200, 100)):
        expected = by_the_schedule(study, stage, split)
        answer = fit(study, stage, number, split)
        np.testing.assert_allclose(answer.train_scores, expected, rtol=1e-9, atol=1e-10)
        if not np.isnan(expected).all():
            assert answer.best == int(np.nanargmax(expected))
            assert answer.train_scores[answer.best] == expected[answer.best]


@pytest.mark.parametrize("metric", SCORES)
def test_every_figure_is_the_schedules(metric: str) -> None:
    study = made("momentum", metric)
    split = next(iter(walk_forward_splits(500, 300, 100)))
    stage = study.stage()
    expected = by_the_schedule(study, stage, split)
    assert np.isfinite(expected).any()
    # The entry at 9 is never reached: the account stays flat.
    assert np.isnan(expected).any() == (metric in {"sharpe", "sortino", "calmar"})
    np.testing.assert_allclose(fit(study, stage, 0, split).train_scores, expected, rtol=1e-9, atol=1e-10)


def test_an_account_of_several_groups_is_left_to_the_schedule(study: Study) -> None:
    assert study.stage().training is None


@njit(STEP_SIGNATURE)
def late(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    state[0] += 1.0
    targets[0] = params[0] if state[0] > 100.0 else 0.5
    return 1.0


@njit(STEP_SIGNATURE)
def raising(state: FloatArray, bar: FloatArray, params: FloatArray, targets: FloatArray) -> float:
    state[0] += 1.0
    if state[0] > 100.0 and params[0] > 1.0:
        raise ValueError("no")
    return 1.0


def of_step(step: object, symbols: int) -> Study:
    parameter = Parameter("target", 0.5, 0.0, 9.0, "Target after the hundredth bar.")
    strategy = Strategy("mine", "", "", (parameter,), 1, lambda params: 1, step)
    panel: BarPanel = practice_panel(symbols, 400)
    return Study.of(
        panel, strategy, {"target": (0.5, 3.0)}, sizing=SizingParams(), costs=Costs(), cash=Decimal(1000), warm=50
    )  # fmt: skip


@pytest.mark.parametrize("symbols", [1, 2])
@pytest.mark.parametrize(("step", "said"), [(late, "the target 3"), (raising, "ValueError")])
def test_a_step_that_goes_wrong_is_named_with_symbol_bar_and_value(step: object, said: str, symbols: int) -> None:
    study = of_step(step, symbols)
    split = next(iter(walk_forward_splits(400, 200, 100)))
    with pytest.raises(StepError, match=said) as caught:
        fit(study, study.stage(), 0, split)
    # The first train row is 1 and nothing lies before row 0 to be seen.
    assert f"{study.panel.symbols[0]} at {study.panel.time(100).isoformat()} (bar 100" in str(caught.value)
