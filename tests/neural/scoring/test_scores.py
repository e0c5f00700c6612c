import numpy as np
import pytest

from nt_ray.neural.scoring.scores import ScoreError, directional_accuracy, mae, mase, mse, rmse, seasonal_scale, smape

NAN = float("nan")


def test_errors_of_a_series_worked_by_hand() -> None:
    truth = np.array([1.0, 2.0, 4.0, 0.0])
    forecast = np.array([2.0, 2.0, 1.0, 0.0])
    assert mae(truth, forecast) == pytest.approx(1.0)
    assert mse(truth, forecast) == pytest.approx(2.5)
    assert rmse(truth, forecast) == pytest.approx(2.5**0.5)
    # 2/3, 0, 6/5 and 0 where both are zero.
    assert smape(truth, forecast) == pytest.approx((2 / 3 + 6 / 5) / 4)


def test_what_was_not_observed_has_no_influence() -> None:
    truth = np.array([[1.0, NAN], [3.0, 5.0]])
    for silent in (0.0, 1e9, NAN, np.inf):
        forecast = np.array([[2.0, silent], [3.0, 7.0]])
        assert mae(truth, forecast) == pytest.approx(1.0)
        assert mse(truth, forecast) == pytest.approx(5.0 / 3.0)


def test_nothing_observed_gives_no_score() -> None:
    nothing = np.full((2, 3), NAN)
    for score in (mae, mse, rmse, smape):
        assert score(nothing, np.zeros((2, 3))) is None
    assert directional_accuracy(nothing, np.zeros((2, 3)), 0.0) is None


@pytest.mark.parametrize("silent", [NAN, np.inf])
def test_a_forecast_that_keeps_silent_is_refused(silent: float) -> None:
    with pytest.raises(ScoreError, match="1 of 2 forecasts"):
        mae(np.array([1.0, 2.0]), np.array([1.0, silent]))


def test_an_infinite_truth_and_another_shape_are_refused() -> None:
    with pytest.raises(ScoreError, match="infinite"):
        mae(np.array([np.inf]), np.array([1.0]))
    with pytest.raises(ScoreError, match="does not fit"):
        mae(np.ones((2, 3)), np.ones((3, 2)))


def test_mase_scales_each_series_by_its_own_seasonal_error() -> None:
    history = np.array([[0.0, 10.0, 2.0, 12.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0], [5.0, NAN, 8.0, 0.0, NAN]])
    # Pairs two apart: 2, 2, 0; nothing moves; 3 alone is observed on both sides.
    np.testing.assert_allclose(seasonal_scale(history, 2), [4.0 / 3.0, NAN, 3.0])
    truth, forecast = np.ones((3, 1, 2)), np.array([[[3.0, 1.0]], [[9.0, 9.0]], [[1.0, 7.0]]])
    assert mase(truth, forecast, seasonal_scale(history, 2)) == pytest.approx((1.0 / (4.0 / 3.0) + 3.0 / 3.0) / 2)


def test_mase_of_the_naive_forecast_in_sample_is_one() -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=(1, 400)), axis=1)
    scale = seasonal_scale(walk, 7)
    assert mase(walk[:, 7:], walk[:, :-7], scale) == pytest.approx(1.0)


def test_direction_leaves_out_what_did_not_move_and_counts_no_opinion_as_half() -> None:
    reference = np.full(5, 10.0)
    truth = np.array([11.0, 9.0, 12.0, 10.0, NAN])
    forecast = np.array([15.0, 11.0, 10.0, 99.0, 0.0])
    # Right, wrong, no opinion; the fourth did not move, the fifth is unknown.
    assert directional_accuracy(truth, forecast, reference) == pytest.approx(1.5 / 3.0)
    assert directional_accuracy(np.array([0.1, -0.1]), np.array([0.3, 0.2]), 0.0) == pytest.approx(0.5)


def test_a_season_must_be_a_row_or_more() -> None:
    with pytest.raises(ScoreError, match="season=0"):
        seasonal_scale(np.ones((1, 4)), 0)
