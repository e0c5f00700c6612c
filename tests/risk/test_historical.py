import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.market.embedded import load_embedded
from nt_ray.risk.historical import historical_es, historical_var

LOSSES = st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60).map(np.array)
CONFIDENCE = st.floats(0.5, 0.99)


def test_var_of_a_hundred_returns_is_the_fifth_largest_loss() -> None:
    returns = np.random.default_rng(1).permutation(np.arange(-100, 0) / 1000.0)
    assert historical_var(returns, 0.95) == 0.096
    assert historical_es(returns, 0.95) == pytest.approx(0.098, abs=1e-15)


def test_a_fractional_tail_weighs_its_last_loss_with_the_fraction() -> None:
    returns = np.array([-0.05, -0.04, -0.03, -0.02, 0.0, 0.01, 0.02, 0.03])
    # (1 - 0.7) * 8 = 2.4: losses 0.05 and 0.04 whole, 0.03 with weight 0.4.
    assert historical_var(returns, 0.7) == 0.03
    assert historical_es(returns, 0.7) == pytest.approx((0.05 + 0.04 + 0.4 * 0.03) / 2.4, abs=1e-15)


def test_a_tail_of_less_than_one_return_is_the_worst_return() -> None:
    returns = np.array([-0.02, 0.01])
    assert historical_var(returns, 0.99) == historical_es(returns, 0.99) == 0.02


def test_gains_in_the_tail_are_negative_losses() -> None:
    assert historical_var(np.array([0.01, 0.02, 0.03]), 0.95) == -0.01


def test_apple_agrees_with_published_figures_of_the_same_convention() -> None:
    # Computed with skfolio.measures.value_at_risk and cvar on the same 2,516 returns.
    panel = load_embedded("sp500")
    years = pl.Series(panel.timestamps).cast(pl.Datetime("ns")).dt.year().to_numpy()
    closes = panel.closes[int(np.argmax(years >= 2013)) - 1 :, panel.symbols.index("AAPL")]
    returns = closes[1:] / closes[:-1] - 1.0
    assert historical_var(returns, 0.95) == pytest.approx(0.027158, abs=5e-7)
    assert historical_es(returns, 0.95) == pytest.approx(0.042132, abs=5e-7)


def test_apples_whole_history_has_the_figures_of_skfolios_own_tests() -> None:
    """skfolio (BSD-3), tests/test_measures/test_measures.py: test_value_at_risk and test_cvar at 95 %, 8,312 days."""
    panel = load_embedded("sp500")
    closes = panel.closes[:, panel.symbols.index("AAPL")]
    returns = closes[1:] / closes[:-1] - 1.0
    assert historical_var(returns, 0.95) == pytest.approx(0.039568345, abs=5e-10)
    assert historical_es(returns, 0.95) == pytest.approx(0.059240073, abs=5e-10)


@given(LOSSES, st.integers(1, 99))
def test_var_is_the_order_statistic_numpy_calls_inverted_cdf(losses: np.ndarray, percent: int) -> None:
    n = len(losses)
    k = -(-(100 - percent) * n // 100)
    assert historical_var(-losses, percent / 100) == np.sort(losses)[n - k]


@given(LOSSES, CONFIDENCE)
def test_shortfall_is_never_below_value_at_risk(losses: np.ndarray, confidence: float) -> None:
    assert historical_es(-losses, confidence) >= historical_var(-losses, confidence)


@given(LOSSES, CONFIDENCE, st.floats(-0.2, 0.2), st.floats(0.1, 10.0))
def test_both_move_with_a_shift_and_scale_with_a_factor(
    losses: np.ndarray, confidence: float, shift: float, factor: float
) -> None:
    for measure in (historical_var, historical_es):
        base = measure(-losses, confidence)
        assert measure(-losses + shift, confidence) == pytest.approx(base - shift, abs=1e-12)
        assert measure(-losses * factor, confidence) == pytest.approx(base * factor, abs=1e-11)


@given(LOSSES, CONFIDENCE, CONFIDENCE)
def test_both_grow_with_confidence(losses: np.ndarray, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert historical_var(-losses, low) <= historical_var(-losses, high)
    assert historical_es(-losses, low) <= historical_es(-losses, high) + 1e-12


@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)), min_size=1, max_size=40), CONFIDENCE)
def test_shortfall_of_a_sum_is_at_most_the_sum_of_shortfalls(
    pairs: list[tuple[float, float]], confidence: float
) -> None:
    first, second = np.array(pairs).T
    together = historical_es(first + second, confidence)
    assert together <= historical_es(first, confidence) + historical_es(second, confidence) + 1e-12


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, float("nan")])
def test_confidence_outside_zero_and_one_is_refused(confidence: float) -> None:
    with pytest.raises(RiskError, match="between 0 and 1"):
        historical_var(np.array([0.1]), confidence)


def test_empty_or_infinite_returns_are_refused() -> None:
    with pytest.raises(RiskError, match="at least one"):
        historical_es(np.array([]), 0.95)
    with pytest.raises(RiskError, match="Return 1 is nan"):
        historical_es(np.array([0.1, np.nan]), 0.95)
