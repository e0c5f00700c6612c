import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.risk.historical import historical_es, historical_var, tail_of, weighted_tail
from nt_ray.risk.measures.historical import age_weighted, age_weights, historical, volatility_weighted
from nt_ray.risk.measures.series import compound

RETURNS = np.random.default_rng(5).standard_t(4, 600) * 0.01
BRW_LOSSES = (3.30, 2.90, 2.70, 2.50, 2.40, 2.30)


def published_example(ages: tuple[int, ...]) -> np.ndarray:
    """A hundred returns with the six worst of Boudoukh, Richardson and Whitelaw (1998) at their ages, oldest first."""
    returns = np.linspace(0.0, 0.01, 100)
    for age, loss in zip(ages, BRW_LOSSES, strict=True):
        returns[100 - age] = -loss / 100.0
    return returns


@pytest.mark.parametrize(
    ("ages", "published"),
    [
        ((3, 2, 65, 45, 5, 30), (0.0221, 0.0447, 0.0511, 0.0605, 0.0818, 0.0947)),
        ((28, 27, 90, 70, 30, 55), (0.0134, 0.0270, 0.0308, 0.0365, 0.0494, 0.0571)),
    ],
)
def test_age_weights_reach_what_boudoukh_richardson_and_whitelaw_print(
    ages: tuple[int, ...], published: tuple[float, ...]
) -> None:
    # The best of both worlds (1998), decay 0.98 over 100 returns: cumulative weights of the six largest losses.
    shares = age_weights(100, 0.98)
    reached = np.cumsum([shares[100 - age] for age in ages])
    assert reached == pytest.approx(published, abs=1.01e-4)


def test_age_weighted_var_is_the_loss_at_which_the_published_weights_pass_five_percent() -> None:
    # Cumulative weights pass 5 % at the third loss at first, at the sixth when all are 25 days older.
    assert age_weighted(published_example((3, 2, 65, 45, 5, 30)), 0.95).var == pytest.approx(0.027)
    assert age_weighted(published_example((28, 27, 90, 70, 30, 55)), 0.95).var == pytest.approx(0.023)


def test_age_weighted_shortfall_counts_the_borderline_loss_in_part() -> None:
    tail = age_weighted(published_example((3, 2, 65, 45, 5, 30)), 0.95)
    first, second = (0.98 ** (age - 1) * 0.02 / (1 - 0.98**100) for age in (3, 2))
    expected = (first * 0.033 + second * 0.029 + (0.05 - first - second) * 0.027) / 0.05
    assert tail.es == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-0.5, 0.5), st.integers(1, 5)), min_size=1, max_size=30),
    st.sampled_from([0.6, 0.75, 0.9, 0.95]),
)
def test_a_weighted_tail_is_the_tail_of_repeated_returns(pairs: list[tuple[float, int]], confidence: float) -> None:
    returns, repeats = np.array([r for r, _ in pairs]), np.array([n for _, n in pairs])
    var, es = weighted_tail(returns, repeats / repeats.sum(), confidence)
    plain = np.repeat(returns, repeats)
    assert var == historical_var(plain, confidence)
    assert es == pytest.approx(historical_es(plain, confidence), abs=1e-12)


def test_weights_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(RiskError, match="summing to 1"):
        weighted_tail(np.array([0.1, 0.2]), np.array([0.5, 0.6]), 0.9)


def test_a_slow_decay_weighs_alike() -> None:
    slow, plain = age_weighted(RETURNS, 0.95, decay=1.0 - 1e-12), historical(RETURNS, 0.95)
    assert slow.var == plain.var
    assert slow.es == pytest.approx(plain.es, rel=1e-9)


def test_several_periods_compound_and_are_no_square_root_of_time() -> None:
    windows = np.array([np.prod(1.0 + RETURNS[i : i + 10]) - 1.0 for i in range(591)])
    tail = historical(RETURNS, 0.95, 10)
    assert (tail.var, tail.es) == pytest.approx(tail_of(windows, 0.95), rel=1e-12)
    assert (tail.observations, tail.horizon) == (591, 10)
    apart = historical(RETURNS, 0.95, 10, overlapping=False)
    assert (apart.var, apart.es) == pytest.approx(tail_of(windows[0::10], 0.95), rel=1e-12)
    assert "overlapping" in tail.notes[0]
    assert "end to end" in apart.notes[0]


def test_windows_end_to_end_end_with_the_last_return() -> None:
    returns = np.arange(1.0, 9.0) / 100.0
    windows = compound(returns, 3, overlapping=False)
    assert windows == pytest.approx([1.03 * 1.04 * 1.05 - 1.0, 1.06 * 1.07 * 1.08 - 1.0])


def test_hull_and_white_scale_each_return_by_the_volatility_known_before_it() -> None:
    decay, path = 0.9, [float(np.mean(RETURNS**2))]
    for r in RETURNS:
        path.append(decay * path[-1] + (1.0 - decay) * r * r)
    scaled = RETURNS * np.sqrt(path[-1] / np.array(path[:-1]))
    tail = volatility_weighted(RETURNS, 0.95, decay=decay)
    assert (tail.var, tail.es) == pytest.approx(tail_of(scaled, 0.95), rel=1e-12)


def test_a_calm_end_lowers_the_volatility_weighted_tail() -> None:
    returns = np.concatenate((RETURNS * 3.0, RETURNS * 0.2))
    assert volatility_weighted(returns, 0.99).var < 0.3 * historical(returns, 0.99).var
    assert volatility_weighted(returns, 0.99, volatility="garch").var < 0.3 * historical(returns, 0.99).var


def test_a_panel_is_measured_at_its_weights() -> None:
    panel = np.column_stack((RETURNS, RETURNS[::-1]))
    assert historical(panel, 0.95, weights=[0.3, 0.5]) == historical(panel @ [0.3, 0.5], 0.95)


def test_a_tail_without_an_observation_is_refused_with_the_number_needed() -> None:
    with pytest.raises(RiskError, match="Give at least 100"):
        historical(RETURNS[:99], 0.99)
    assert historical(RETURNS[:100], 0.99).var == -RETURNS[:100].min()
    with pytest.raises(RiskError, match="99 observations"):
        historical(RETURNS[:108], 0.99, 10)


def test_bad_returns_and_parameters_are_refused() -> None:
    with pytest.raises(RiskError, match="without weights"):
        historical(np.zeros((50, 2)), 0.9)
    with pytest.raises(RiskError, match="no window of 700"):
        historical(RETURNS, 0.9, 700)
    with pytest.raises(RiskError, match=r"Decay 1\.5"):
        age_weighted(RETURNS, 0.9, decay=1.5)
    with pytest.raises(RiskError, match="'garch'"):
        volatility_weighted(RETURNS, 0.9, volatility="heston")
    with pytest.raises(RiskError, match="Volatility is zero"):
        volatility_weighted(np.zeros(50), 0.9)
