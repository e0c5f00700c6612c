import numpy as np
import pytest

from nt_ray.backtest.research.cross_validation import column_sharpes, cross_validate
from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.splits import combinatorial_splits, paths


def test_histories_are_made_of_returns_that_were_not_fitted_on() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, (130, 6))
    found = cross_validate(returns, groups=6, test_groups=2, purge=2, embargo=3)
    splits = list(combinatorial_splits(130, 6, 2, purge=2, embargo=3))
    table = paths(6, 2)
    assert found.returns.shape == (5, 130)
    for number, split in enumerate(splits):
        ratios = returns[split.train].mean(0) / returns[split.train].std(0, ddof=1)
        assert found.chosen[number] == int(np.argmax(ratios))
        for g in split.groups:
            span = np.arange(130 * g // 6, 130 * (g + 1) // 6)
            path = int(np.flatnonzero(table[:, g] == number)[0])
            assert found.returns[path, span].tolist() == returns[span, found.chosen[number]].tolist()
    assert found.sharpes == pytest.approx(found.returns.mean(1) / found.returns.std(1, ddof=1))


def test_a_truly_better_candidate_makes_every_history() -> None:
    returns = np.random.default_rng(2).normal(0, 0.01, (500, 5))
    returns[:, 3] += 0.01
    found = cross_validate(returns, groups=8, test_groups=2)
    assert set(found.chosen.tolist()) == {3}
    assert np.array_equal(found.returns, np.tile(returns[:, 3], (7, 1)))


def test_returns_that_do_not_vary_have_no_ratio() -> None:
    assert np.isnan(column_sharpes(np.full((5, 2), 0.01))).all()
    assert np.isnan(column_sharpes(np.zeros((1, 2)))).all()
    assert set(cross_validate(np.zeros((40, 3)), groups=4, test_groups=1).chosen.tolist()) == {0}
    with pytest.raises(ResearchError, match="finite"):
        cross_validate(np.full((40, 3), np.nan))
