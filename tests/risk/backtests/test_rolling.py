from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.backtests.coverage import kupiec
from nt_ray.risk.backtests.rolling import backtest, forecasts
from nt_ray.risk.measures.historical import historical
from nt_ray.risk.measures.tail import Tail

RETURNS = np.random.default_rng(21).standard_t(5, 900) * 0.01


class Spy:
    """A measure that writes down what it was shown."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, returns: npt.ArrayLike, confidence: float, horizon: int = 1, /, *, weights: Any = None) -> Tail:
        shown = np.asarray(returns)
        while isinstance(shown.base, np.ndarray):
            shown = shown.base
        self.seen.append(shown)
        return historical(returns, confidence, horizon, weights=weights)


@pytest.mark.parametrize("horizon", [1, 7])
def test_a_measure_is_shown_its_window_and_no_memory_beyond_it(horizon: int) -> None:
    spy = Spy()
    made = forecasts(RETURNS, spy, 250, 0.95, horizon)
    for at, shown in zip(made.first, spy.seen, strict=True):
        assert np.array_equal(shown, RETURNS[at - 250 : at])


@pytest.mark.parametrize("name", ["historical", "volatility_weighted", "normal", "student_t"])
def test_forecasts_do_not_change_with_the_future(name: str) -> None:
    changed = RETURNS.copy()
    changed[280:] = np.random.default_rng(1).normal(-0.05, 0.1, 620)
    for horizon in (1, 5):
        told, other = (forecasts(r[:300], name, 250, 0.95, horizon) for r in (RETURNS, changed))
        before = told.first <= 280
        assert before.sum() > 5
        assert np.array_equal(told.var[before], other.var[before])
        assert np.array_equal(told.es[before], other.es[before])
        assert not np.array_equal(told.var[~before], other.var[~before])


def test_outcomes_follow_their_windows_and_do_not_overlap() -> None:
    made = forecasts(RETURNS, "historical", 300, 0.95, 10)
    assert np.array_equal(np.diff(made.first), np.full(len(made.first) - 1, 10))
    for at, realised in zip(made.first, made.realised, strict=True):
        assert realised == pytest.approx(np.prod(1.0 + RETURNS[at : at + 10]) - 1.0, rel=1e-12)
    assert made.first[0] == 300
    assert made.first[-1] + 10 <= 900


def test_the_report_tests_the_very_forecasts_it_carries() -> None:
    report = backtest(RETURNS, "historical", 250, 0.95, simulations=1000)
    made = report.forecasts
    hits = int(np.sum(made.realised < -made.var))
    assert report.kupiec == kupiec(hits, 650, 0.95)
    assert report.traffic_light.violations == hits
    assert [test.name for test in report.shortfall] == ["z1", "z2", "z3"]
    assert not report.notes


def test_a_right_measure_is_kept_and_one_that_sees_a_calm_past_is_rejected() -> None:
    right = backtest(RETURNS, "historical", 250, 0.95, simulations=1000)
    assert not right.kupiec.rejects()
    assert right.shortfall[1].p_value > 0.05
    loud = np.concatenate((0.3 * RETURNS[:300], RETURNS[300:600]))
    wrong = backtest(loud, "historical", 300, 0.95, simulations=1000)
    assert wrong.kupiec.rejects()
    assert wrong.shortfall[1].p_value < 0.01


def test_a_panel_is_rolled_at_its_weights() -> None:
    panel = np.column_stack((RETURNS, RETURNS[::-1]))
    one, other = (
        forecasts(panel, "normal", 500, 0.95, weights=[0.5, 0.25]),
        forecasts(panel @ [0.5, 0.25], "normal", 500, 0.95),
    )
    assert one.var == pytest.approx(other.var, rel=1e-12)
    assert one.realised == pytest.approx(other.realised, rel=1e-12)


def test_a_tail_of_one_loss_leaves_shortfall_untested_and_says_so() -> None:
    report = backtest(RETURNS, "historical", 20, 0.95)
    assert report.shortfall == ()
    assert "no tail to test" in report.notes[0]


def test_too_short_a_history_is_refused() -> None:
    with pytest.raises(RiskError, match="no two forecasts of 10"):
        forecasts(RETURNS[:269], "historical", 250, 0.95, 10)
    assert len(forecasts(RETURNS[:270], "historical", 250, 0.95, 10).var) == 2
    with pytest.raises(RiskError, match="no measure"):
        forecasts(RETURNS, "magic", 250, 0.95)
