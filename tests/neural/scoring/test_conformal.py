from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from nt_ray.neural.scoring.conformal import (
    Bounds,
    absolute_scores,
    conformal_rank,
    quantile_scores,
)
from nt_ray.neural.scoring.scores import ScoreError


@pytest.mark.parametrize(("share", "text"), [(0.8, "4/5"), (0.9, "9/10"), (0.95, "19/20")])
def test_the_rank_is_exact(share: float, text: str) -> None:
    for count in range(400):
        assert conformal_rank(count, share) == ceil((count + 1) * Fraction(text))


def test_certainty_cannot_be_promised() -> None:
    with pytest.raises(ScoreError, match=r"coverage=1\.0"):
        conformal_rank(9, 1.0)


def test_quantiles_that_are_too_wide_are_narrowed_to_their_middle_at_most() -> None:
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
