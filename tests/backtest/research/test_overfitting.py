import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from nt_ray.backtest.research.overfitting import overfitting
from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.splits import group_bounds


def slow(returns: np.ndarray, groups: int) -> tuple[list[float], list[float]]:
    bounds, logits, outside = group_bounds(len(returns), groups), [], []
    for chosen in combinations(range(groups), groups // 2):
        inside = np.concatenate([np.arange(bounds[g], bounds[g + 1]) for g in chosen])
        rest = np.setdiff1d(np.arange(len(returns)), inside)
        best = int(np.argmax(returns[inside].mean(0) / returns[inside].std(0, ddof=1)))
        ratios = returns[rest].mean(0) / returns[rest].std(0, ddof=1)
        share = stats.rankdata(ratios)[best] / (returns.shape[1] + 1)
        logits.append(math.log(share / (1 - share)))
        outside.append(ratios[best])
    return logits, outside


def test_it_agrees_with_a_plain_loop_over_all_halves() -> None:
    returns = np.random.default_rng(1).normal(0.0005, 0.01, (203, 7))
    found = overfitting(returns, groups=8)
    logits, outside = slow(returns, 8)
    assert len(logits) == math.comb(8, 4)
    assert found.logits == pytest.approx(logits)
    assert found.out_of_sample == pytest.approx(outside)
    assert found.probability == np.mean(np.array(logits) <= 0)
    assert found.loss_probability == np.mean(np.array(outside) < 0)
    assert found.slope == pytest.approx(stats.linregress(found.in_sample, found.out_of_sample).slope)


def test_selection_among_noise_is_worthless_on_average() -> None:
    rng = np.random.default_rng(2)
    found = [overfitting(rng.normal(0, 0.01, (400, 20)), groups=8).probability for _ in range(40)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_a_truly_better_candidate_is_not_overfitted() -> None:
    returns = np.random.default_rng(3).normal(0, 0.01, (800, 20))
    returns[:, 4] += 0.005
    assert overfitting(returns).probability == 0.0


def test_a_candidate_good_by_chance_in_each_half_alone_is_overfitted() -> None:
    # The returns of each candidate sum to zero: who is good on one half is bad on the other.
    returns = np.random.default_rng(4).normal(0, 0.01, (320, 30))
    found = overfitting(returns - returns.mean(axis=0), groups=8)
    assert found.probability > 0.95
    assert found.loss_probability == 1.0


def test_candidates_that_never_trade_do_not_count() -> None:
    returns = np.random.default_rng(5).normal(0, 0.01, (200, 4))
    idle = np.column_stack((returns, np.zeros(200)))
    assert overfitting(idle, groups=8).candidates == 4
    assert overfitting(idle, groups=8).logits.tolist() == overfitting(returns, groups=8).logits.tolist()


def test_tables_that_cannot_be_compared_are_refused() -> None:
    returns = np.random.default_rng(6).normal(0, 0.01, (200, 4))
    with pytest.raises(ResearchError, match="even number"):
        overfitting(returns, groups=7)
    with pytest.raises(ResearchError, match="too few"):
        overfitting(returns[:20], groups=16)
    with pytest.raises(ResearchError, match="at least 2"):
        overfitting(returns[:, :1])
    with pytest.raises(ResearchError, match="finite"):
        overfitting(np.full((100, 3), np.nan))
