from fractions import Fraction
from math import ceil, inf

import numpy as np
import pytest

from nt_ray.neural.scoring.conformal import (
    Bounds,
    ConformalQuantiles,
    SplitConformal,
    absolute_scores,
    conformal_radius,
    conformal_rank,
    quantile_scores,
)
from nt_ray.neural.scoring.distributions import coverage, interval_score
from nt_ray.neural.scoring.scores import ScoreError


@pytest.mark.parametrize(("share", "text"), [(0.8, "4/5"), (0.9, "9/10"), (0.95, "19/20")])
def test_the_rank_is_exact(share: float, text: str) -> None:
    for count in range(400):
        assert conformal_rank(count, share) == ceil((count + 1) * Fraction(text))


def test_the_radius_is_the_score_of_that_rank_for_each_series_and_step() -> None:
    scores = np.random.default_rng(0).random((2, 19, 3))
    np.testing.assert_array_equal(conformal_radius(scores, 0.9), np.sort(scores, axis=1)[:, 17])
    # The fifth largest of nine, after ten are missing.
    scores[0, :10, 1] = np.nan
    found = conformal_radius(scores, 0.5)
    assert found[0, 1] == np.sort(scores[0, 10:, 1])[4]


def test_too_few_scores_promise_nothing() -> None:
    assert conformal_radius(np.ones((1, 8, 1)), 0.9)[0, 0] == inf
    assert conformal_radius(np.ones((1, 9, 1)), 0.9)[0, 0] == 1.0
    assert conformal_radius(np.ones((1, 0, 1)), 0.9)[0, 0] == inf
    with pytest.raises(ScoreError, match=r"coverage=1\.0"):
        conformal_radius(np.ones((1, 9, 1)), 1.0)


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_split_intervals_cover_as_promised_for_any_distribution(share: float) -> None:
    rng = np.random.default_rng(1)
    # 2,000 separate calibrations of 29 heavy-tailed errors: the guarantee is over both calibration and test.
    truth = rng.standard_t(2, (2000, 30, 1))
    fitted = SplitConformal.fit(truth[:, :29], np.zeros((2000, 29, 1)), share)
    bounds = fitted.bounds(np.zeros((2000, 1, 1)))
    found = coverage(truth[:, 29:], bounds.low, bounds.high)
    assert found is not None
    # Between the level and level + 1/(n+1), within three deviations of 2,000 draws.
    slack = 3.0 * (share * (1.0 - share) / 2000) ** 0.5
    assert share - slack <= found <= share + 1.0 / 30.0 + slack


def test_quantile_intervals_are_corrected_and_follow_the_spread() -> None:
    rng = np.random.default_rng(2)
    spread = np.exp(rng.normal(size=(500, 60, 1)))
    truth = spread * rng.normal(size=spread.shape)
    past, now = slice(0, 59), slice(59, 60)
    # The forecaster knows the spread and claims far too little of it.
    cqr = ConformalQuantiles.fit(truth[:, past], -0.3 * spread[:, past], 0.3 * spread[:, past], 0.8)
    corrected = cqr.bounds(-0.3 * spread[:, now], 0.3 * spread[:, now])
    scaled = SplitConformal.fit(truth[:, past], 0.0 * spread[:, past], 0.8, spread[:, past])
    relative = scaled.bounds(0.0 * spread[:, now], spread[:, now])
    for bounds in (corrected, relative):
        found = coverage(truth[:, now], bounds.low, bounds.high)
        assert found is not None
        assert 0.74 <= found <= 0.88
    flat = SplitConformal.fit(truth[:, past], 0.0 * spread[:, past], 0.8).bounds(0.0 * spread[:, now])
    scores = [interval_score(truth[:, now], b.low, b.high, 0.8) for b in (relative, flat)]
    assert all(s is not None for s in scores)
    assert scores[0] < 0.9 * scores[1]


def test_quantiles_that_are_too_wide_are_narrowed_to_their_middle_at_most() -> None:
    truth = np.zeros((1, 50, 1))
    wide = np.full(truth.shape, 5.0)
    fitted = ConformalQuantiles.fit(truth, -wide, wide, 0.9)
    assert fitted.radius[0, 0] == -5.0
    bounds = Bounds.around(np.array([-1.0]), np.array([3.0]), np.array([-9.0]))
    assert (bounds.low[0], bounds.high[0]) == (1.0, 1.0)


def test_scores_worked_by_hand() -> None:
    truth = np.array([[[2.0], [np.nan]]])
    np.testing.assert_array_equal(absolute_scores(truth, np.full((1, 2, 1), 5.0)), [[[3.0], [np.nan]]])
    np.testing.assert_array_equal(
        absolute_scores(truth, np.full((1, 2, 1), 5.0), np.full((1, 2, 1), 2.0)), [[[1.5], [np.nan]]]
    )
    np.testing.assert_array_equal(quantile_scores(truth, truth - 1.0, truth + 4.0), [[[-1.0], [np.nan]]])
    with pytest.raises(ScoreError, match="spread"):
        absolute_scores(truth, truth, np.zeros(truth.shape))
