from typing import Any

import numpy as np
import pytest

from nt_ray.errors import StrategyError
from nt_ray.strategies import mean_reversion, momentum
from nt_ray.strategies.adaptive import STRATEGY
from nt_ray.types import FloatArray

SMALL = {
    "lookback": 15, "rebalance": 6, "trend": 0.3, "volatility_window": 10, "volatility_history": 40,
    "turbulence": 0.7, "turbulent_size": 0.4, "momentum_lookback": 12, "momentum_entry": 0.6,
    "reversion_window": 9, "reversion_entry": 1.2, "reversion_exit": 0.2,
}  # fmt: skip


def parts(drive: Any, closes: FloatArray, v: dict[str, float]) -> tuple[Any, Any]:
    """Votes of the two strategies alone."""
    trending = drive(
        momentum.STRATEGY,
        closes,
        {"lookback": v["momentum_lookback"], "skip": 0, "entry": v["momentum_entry"], "exit": 0.0, "short": v["short"]},
    )
    reverting = drive(
        mean_reversion.STRATEGY,
        closes,
        {"window": v["reversion_window"], "entry": v["reversion_entry"], "exit": v["reversion_exit"]}
        | {"short": v["short"]},
    )
    return trending, reverting


def regimes(closes: FloatArray, v: dict[str, float]) -> tuple[list[str], list[float]]:
    """Regime and size that hold on each bar, judged by slices that end there."""
    logs, lookback, recent = np.log(closes), int(v["lookback"]), int(v["volatility_window"])
    returns, history = np.diff(logs), int(v["volatility_history"])
    volatility = np.full(len(logs), np.nan)
    for t in range(recent, len(logs)):
        volatility[t] = returns[t - recent : t].std()
    regime, size, since, names, sizes = "", 1.0, 0, [], []
    for t in range(len(logs)):
        past = volatility[max(t - history, 0) : t]
        if t >= lookback and len(past) == history and not np.isnan(past).any():
            if not regime or since >= v["rebalance"]:
                way = np.abs(returns[t - lookback : t]).sum()
                regime = "trend" if abs(logs[t] - logs[t - lookback]) / way > v["trend"] else "range"
                size = v["turbulent_size"] if (past < volatility[t]).mean() > v["turbulence"] else 1.0
                since = 0
            since += 1
        names.append(regime)
        sizes.append(size)
    return names, sizes


@pytest.mark.parametrize("short", [0, 1])
def test_each_bar_has_the_vote_of_the_strategy_in_charge(drive: Any, bars: FloatArray, short: int) -> None:
    closes = np.ascontiguousarray(bars[:900, 3])
    values = SMALL | {"short": short}
    targets, confidence = drive(STRATEGY, closes, values)
    (up, up_sure), (back, back_sure) = parts(drive, closes, values)
    names, sizes = regimes(closes, values)
    for t, (name, size) in enumerate(zip(names, sizes, strict=True)):
        if not name:
            assert confidence[t] == 0.0
            continue
        vote, sure = (up, up_sure) if name == "trend" else (back, back_sure)
        assert targets[t, 0] == vote[t, 0] * size
        assert confidence[t] == sure[t]
    assert set(names) == {"", "trend", "range"}
    assert set(np.abs(targets).ravel()) == {0.0, 0.4, 1.0}


def test_it_abstains_until_there_is_a_history_to_compare_with(drive: Any, bars: FloatArray) -> None:
    _, confidence = drive(STRATEGY, np.ascontiguousarray(bars[:400, 3]))
    assert np.flatnonzero(confidence)[0] == 20 + 252


def test_a_line_is_followed_and_a_seesaw_is_faded(drive: Any) -> None:
    line = 1.002 ** np.arange(150.0)
    assert drive(STRATEGY, line, SMALL)[0][-1, 0] == 1.0
    seesaw = 100.0 * np.exp(0.01 * np.tile([0.0, 1.0, 0.0, -1.0], 40))
    down, up = drive(STRATEGY, seesaw, SMALL | {"short": 1, "rebalance": 1})[0][-1, 0], seesaw.copy()
    assert down == 1.0
    assert drive(STRATEGY, up[:-2], SMALL | {"short": 1, "rebalance": 1})[0][-1, 0] == -1.0


def test_the_regime_of_a_bar_is_not_chosen_by_what_comes_later(drive: Any, bars: FloatArray) -> None:
    closes = np.ascontiguousarray(bars[:300, 3])
    before, _ = drive(STRATEGY, closes, SMALL)
    trending = np.concatenate([closes, closes[-1] * 1.01 ** np.arange(1.0, 101.0)])
    seesaw = np.concatenate([closes, closes[-1] * np.exp(0.01 * np.tile([1.0, 0.0, -1.0, 0.0], 25))])
    futures = [drive(STRATEGY, series, SMALL)[0] for series in (trending, seesaw)]
    assert [f[:300].tobytes() for f in futures] == [before.tobytes()] * 2
    assert futures[0][300:].tobytes() != futures[1][300:].tobytes()


def test_turbulence_may_switch_the_exposure_off(drive: Any, bars: FloatArray) -> None:
    closes = np.ascontiguousarray(bars[:900, 3])
    full = drive(STRATEGY, closes, SMALL | {"turbulent_size": 1.0})[0]
    none = drive(STRATEGY, closes, SMALL | {"turbulent_size": 0.0})[0]
    turbulent = np.array(regimes(closes, SMALL)[1]) == 0.4
    assert turbulent.any()
    np.testing.assert_array_equal(none.ravel(), np.where(turbulent, 0.0, full.ravel()))


def test_an_exit_that_is_not_below_the_entry_is_refused() -> None:
    with pytest.raises(StrategyError, match="reversion_exit=2 is not below reversion_entry=2"):
        STRATEGY.vector({"reversion_exit": 2.0})
