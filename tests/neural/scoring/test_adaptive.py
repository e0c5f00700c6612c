from math import ceil

import numpy as np
import pytest

from nt_ray.market.source import load_panel
from nt_ray.neural.scoring.adaptive import RATES, adaptive_radii
from nt_ray.neural.scoring.conformal import Bounds, absolute_scores
from nt_ray.neural.scoring.distributions import coverage, rolling_coverage
from nt_ray.neural.scoring.scores import ScoreError
from nt_ray.neural.scoring.spread import recent_errors


def by_the_book(
    scores: np.ndarray, origins: np.ndarray, step: int, share: float, rate: float, window: int
) -> list[float]:
    """One lane of ACI with plain lists: the score of origin p is known at row p + step."""
    known: list[float] = []
    radii: list[float] = []
    had: list[int] = []
    level, taken = 1.0 - share, 0
    for place, origin in enumerate(origins.tolist()):
        while taken < place and origins[taken] + step <= origin:
            if not np.isnan(scores[taken]):
                # Before the first score nothing could be missed, so nothing is learned.
                if had[taken]:
                    level += rate * ((1.0 - share) - float(scores[taken] > radii[taken]))
                known.append(float(scores[taken]))
            taken += 1
        recent = sorted(known[-window:])
        had.append(len(recent))
        rank = ceil(round((len(recent) + 1) * (1.0 - level), 9))
        radii.append(float("inf") if not recent or rank > len(recent) else recent[max(rank, 1) - 1])
    return radii


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.3])
def test_radii_are_those_of_the_method_written_out(rate: float) -> None:
    rng = np.random.default_rng(0)
    scores = np.abs(rng.normal(size=(2, 300, 3)))
    scores[0, 40:60, 1] = np.nan
    origins = np.cumsum(rng.integers(1, 3, 300))
    found = adaptive_radii(scores, origins, 0.8, rates=(rate,), window=50)
    for s in range(2):
        for h in range(3):
            late = max((h + 1) / float(np.median(np.diff(origins))), 1.0)
            expected = by_the_book(scores[s, :, h], origins, h + 1, 0.8, rate * (1.0 / np.sqrt(late)), 50)
            np.testing.assert_array_equal(found.radius[s, :, h], expected)


def test_no_radius_knows_a_truth_that_has_not_come() -> None:
    rng = np.random.default_rng(1)
    scores = np.abs(rng.normal(size=(1, 120, 5)))
    origins = np.arange(120)
    base = adaptive_radii(scores, origins, 0.9, rates=RATES, window=30)
    for h in range(5):
        other = scores.copy()
        # Step h + 1 of origin 60 is known at row 61 + h and not before.
        other[0, 60:, h] = 99.0
        changed = adaptive_radii(other, origins, 0.9, rates=RATES, window=30)
        np.testing.assert_array_equal(changed.radius[0, : 61 + h, h], base.radius[0, : 61 + h, h])
        assert changed.radius[0, 61 + h, h] != base.radius[0, 61 + h, h] or h > 0


@pytest.mark.parametrize("rates", [(0.02,), RATES])
@pytest.mark.parametrize("share", [0.8, 0.9])
def test_long_run_coverage_holds_while_the_world_changes(rates: tuple[float, ...], share: float) -> None:
    rng = np.random.default_rng(2)
    spread = np.exp(np.cumsum(rng.normal(0.0, 0.03, (4, 3000, 1)), axis=1))
    truth = spread * rng.standard_t(4, spread.shape)
    scores = np.abs(truth)
    found = adaptive_radii(scores, np.arange(3000), share, rates=rates)
    bounds = Bounds.around(0.0 * truth, 0.0 * truth, found.radius)
    covered = coverage(truth, bounds.low, bounds.high)
    assert covered == pytest.approx(share, abs=0.01)


def test_aci_keeps_the_bound_of_its_source_on_any_series() -> None:
    # Scores that only grow miss every finite interval: the worst that can happen.
    scores = np.arange(1.0, 2001.0).reshape(1, 2000, 1)
    rate, share = 0.05, 0.9
    found = adaptive_radii(scores, np.arange(2000), share, rates=(rate,))
    missed = float(np.mean(scores > found.radius))
    assert abs(missed - (1.0 - share)) <= (max(share, 1.0 - share) + rate) / (rate * 2000) + 1.0 / 2000


def test_after_a_shift_aci_covers_where_a_fixed_window_does_not() -> None:
    truth = np.random.default_rng(3).normal(size=(20, 1000, 1))
    truth[:, 500:] *= 3.0
    covered = []
    for rate in (0.0, 0.05):
        radius = adaptive_radii(np.abs(truth), np.arange(1000), 0.9, rates=(rate,)).radius
        bounds = Bounds.around(0.0 * truth, 0.0 * truth, radius)
        covered.append(float(np.mean(rolling_coverage(truth, bounds.low, bounds.high, 200)[500:501])))
    assert covered[0] < 0.75
    assert covered[1] > 0.85


@pytest.mark.parametrize("share", [0.8, 0.9])
def test_daily_returns_of_the_index_and_of_stocks_are_covered_within_two_points(share: float) -> None:
    for source in ("sp500-index", "sp500"):
        closes = load_panel(source).closes.T
        returns = np.diff(np.log(closes), axis=1)[:, :, None]
        points, origins = np.zeros(returns.shape), np.arange(returns.shape[1])
        spread = recent_errors(returns, points, origins)
        found = adaptive_radii(absolute_scores(returns, points, spread), origins, share, rates=(0.02,))
        bounds = Bounds.around(points, points, found.radius, spread)
        later = slice(500, None)
        covered = coverage(returns[:, later], bounds.low[:, later], bounds.high[:, later])
        assert covered == pytest.approx(share, abs=0.01)
        # Every three years by themselves, the crises of 2000, 2008 and 2020 among them.
        rolling = rolling_coverage(returns[:, later], bounds.low[:, later], bounds.high[:, later], 756)
        assert np.abs(rolling - share).max() <= 0.02


def test_what_cannot_adapt_is_refused() -> None:
    scores = np.ones((1, 3, 1))
    for origins, options in (
        (np.array([0, 1]), {}),
        (np.array([0, 2, 1]), {}),
        (np.arange(3), {"window": 0}),
        (np.arange(3), {"rates": ()}),
        (np.arange(3), {"rates": (-0.1,)}),
    ):
        with pytest.raises(ScoreError):
            adaptive_radii(scores, origins, 0.9, **options)
