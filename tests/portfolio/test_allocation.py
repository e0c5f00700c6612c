import numpy as np
import pytest

from nt_ray.errors import ConfigError
from nt_ray.portfolio.allocation import METHODS, AllocationParams, Allocator
from nt_ray.types import FloatArray

YEAR = 252.0
ROWS = 400


def closes(volatilities: tuple[float, ...], correlation: float = 0.3) -> FloatArray:
    """Prices of instruments with the given annualised volatilities."""
    n = len(volatilities)
    rng = np.random.default_rng(11)
    common, own = rng.standard_normal((ROWS, 1)), rng.standard_normal((ROWS, n))
    moves = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    prices: FloatArray = 100.0 * np.cumprod(1.0 + moves * np.array(volatilities) / np.sqrt(YEAR), axis=0)
    return prices


CLOSES = closes((0.1, 0.2, 0.3, 0.4))


def allocator(method: str, prices: FloatArray = CLOSES, **changes: object) -> Allocator:
    values = {"method": method, "max_weight": 10.0, "max_gross": 10.0, **changes}
    return Allocator(AllocationParams(**values), prices, YEAR)  # type: ignore[arg-type]


def volatility(weights: FloatArray, prices: FloatArray, row: int, window: int = 250) -> float:
    """What the weights would have had over the window."""
    past = prices[row - window : row + 1]
    return float(np.std((past[1:] / past[:-1] - 1.0) @ weights) * np.sqrt(YEAR))


BY_RISK = ("minimum_variance", "risk_parity", "hrp", "herc", "min_cvar", "max_sharpe")


@pytest.mark.parametrize("method", BY_RISK)
def test_what_is_wanted_fully_has_the_target_volatility_and_what_is_wanted_half_has_half(method: str) -> None:
    full = allocator(method, covariance="sample", every=1).weights(350, np.ones(4))
    assert volatility(full, CLOSES, 350) == pytest.approx(0.10, rel=0.005)
    half = allocator(method, covariance="sample", every=1).weights(350, np.full(4, 0.5))
    np.testing.assert_allclose(half, 0.5 * full, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_the_side_of_each_weight_is_the_wanted_one_and_nothing_else_is_bought(method: str) -> None:
    weights = allocator(method).weights(300, np.array([1.0, -0.7, 0.0, np.nan]))
    assert weights[0] > 0.0
    assert weights[1] < 0.0
    assert weights[2] == 0.0
    assert np.isnan(weights[3])


@pytest.mark.parametrize("method", METHODS)
def test_weights_look_at_no_price_after_their_bar(method: str) -> None:
    changed = CLOSES.copy()
    changed[301:] = 1e6
    wanted = np.array([0.2, 1.0, -0.4, 0.9])
    assert np.array_equal(allocator(method).weights(300, wanted), allocator(method, changed).weights(300, wanted))


def test_weights_do_not_depend_on_which_bars_were_asked_for_before() -> None:
    once, again = allocator("risk_parity"), allocator("risk_parity")
    exposures = np.random.default_rng(3).uniform(-1, 1, (ROWS, 4))
    forwards = [once.weights(row, exposures[row]) for row in range(300, 320)]
    backwards = [again.weights(row, exposures[row]) for row in reversed(range(300, 320))]
    assert np.array_equal(forwards, backwards[::-1])


def test_risk_parity_of_two_holds_them_inversely_to_their_volatility() -> None:
    prices = closes((0.1, 0.4))
    weights = allocator("risk_parity", prices, covariance="sample", every=1).weights(300, np.ones(2))
    past = prices[50:301]
    deviations = np.std(past[1:] / past[:-1] - 1.0, axis=0)
    assert weights[0] / weights[1] == pytest.approx(deviations[1] / deviations[0], rel=1e-6)


def test_kelly_of_one_instrument_is_its_expected_return_over_its_variance() -> None:
    prices = closes((0.2,))
    weights = allocator("kelly", prices, covariance="sample", every=1).weights(300, np.array([-0.5]))
    past = prices[50:301]
    deviation = float(np.std(past[1:] / past[:-1] - 1.0, ddof=1))
    alpha = 0.05 * 0.5 * deviation / np.sqrt(YEAR)
    assert weights[0] == pytest.approx(-alpha / deviation**2, rel=1e-6)


def test_an_instrument_without_prices_throughout_the_window_is_not_bought() -> None:
    prices = CLOSES.copy()
    prices[:200, 2] = np.nan
    prices[:, 3] = 5.0
    weights = allocator("hrp", prices).weights(350, np.ones(4))
    assert np.all(weights[:2] > 0.0)
    assert np.array_equal(weights[2:], [0.0, 0.0])
    assert np.array_equal(allocator("hrp").weights(30, np.ones(4)), np.zeros(4))


@pytest.mark.parametrize("changes", [{"method": "martingale"}, {"method": "hrp", "covariance": "given_factors"}])
def test_unknown_methods_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"Known|ledoit_wolf"):
        AllocationParams(**changes)  # type: ignore[arg-type]
