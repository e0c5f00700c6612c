import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.naive import RULES, drift, historical_mean, repeat_last, seasonal, truth_at, zero

NAN = float("nan")


def test_rules_on_a_series_worked_by_hand() -> None:
    target = np.array([[1.0, 2.0, 4.0, 7.0, 3.0]])
    origins = np.array([2, 3])
    np.testing.assert_allclose(repeat_last(target, origins, 2), [[[4.0, 4.0], [7.0, 7.0]]])
    np.testing.assert_allclose(seasonal(target, origins, 3, 2), [[[2.0, 4.0, 2.0], [4.0, 7.0, 4.0]]])
    np.testing.assert_allclose(drift(target, origins, 2), [[[5.5, 7.0], [9.0, 11.0]]])
    np.testing.assert_allclose(historical_mean(target, origins, 1), [[[7.0 / 3.0], [3.5]]])
    assert not zero(target, origins, 2).any()


def test_missing_values_are_bridged_with_what_was_known_before() -> None:
    target = np.array([[NAN, 1.0, NAN, 5.0, NAN, NAN]])
    origins = np.array([0, 2, 5])
    np.testing.assert_allclose(repeat_last(target, origins, 1), [[[NAN], [1.0], [5.0]]])
    # From row 1 to row 3 the line climbs 2 a row; from row 5 the next row lies 3 rows after the last value.
    np.testing.assert_allclose(drift(target, origins, 1), [[[NAN], [1.0], [11.0]]])
    np.testing.assert_allclose(historical_mean(target, origins, 1), [[[NAN], [1.0], [3.0]]])
    # Rows 4 and 5 are missing: the phase of row 4 was never seen, that of row 5 was last seen in row 3.
    np.testing.assert_allclose(seasonal(target, np.array([5]), 2, 2), [[[NAN, 5.0]]])


def test_a_season_of_one_row_is_the_last_value() -> None:
    target = np.random.default_rng(0).normal(size=(3, 40))
    target[1, 10:14] = NAN
    origins = np.arange(5, 40)
    np.testing.assert_array_equal(seasonal(target, origins, 4, 1), repeat_last(target, origins, 4))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 28), st.sampled_from(sorted(RULES)))
def test_no_rule_sees_what_comes_after_its_origin(seed: int, origin: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(2, 30))
    target[rng.random(target.shape) < 0.3] = NAN
    other = target.copy()
    other[:, origin + 1 :] = rng.normal(size=other[:, origin + 1 :].shape)
    origins = np.array([origin])
    np.testing.assert_array_equal(RULES[name](target, origins, 5, 4), RULES[name](other, origins, 5, 4))


def test_the_truth_ends_with_the_panel() -> None:
    np.testing.assert_allclose(truth_at(np.array([[0.0, 1.0, 2.0]]), np.array([0, 1]), 2), [[[1.0, 2.0], [2.0, NAN]]])


def test_origins_outside_of_the_panel_and_empty_horizons_are_refused() -> None:
    with pytest.raises(NeuralError, match="do not lie in 4 rows"):
        repeat_last(np.zeros((1, 4)), np.array([4]), 1)
    with pytest.raises(NeuralError, match="horizon=0"):
        repeat_last(np.zeros((1, 4)), np.array([0]), 0)
    with pytest.raises(NeuralError, match="season=0"):
        seasonal(np.zeros((1, 4)), np.array([0]), 1, 0)
