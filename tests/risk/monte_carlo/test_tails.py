import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.portfolio.tail_count import tail_size
from nt_ray.risk.historical import historical_es, historical_var
from nt_ray.risk.monte_carlo.product import TILE
from nt_ray.risk.monte_carlo.tails import bounds_of, collected, room_for, tail_of_candidates


@settings(max_examples=80)
@given(st.lists(st.integers(-20, 20), min_size=20, max_size=200), st.sampled_from([0.9, 0.95, 0.75, 0.933]))
def test_the_tail_is_the_historical_one_of_the_same_losses(losses: list[int], confidence: float) -> None:
    values = np.array(losses, dtype=np.float64) / 8.0
    tail, rank = tail_size(values.size, confidence)
    var, es = tail_of_candidates(values, tail, rank)
    assert var == historical_var(-values, confidence)
    assert math.isclose(es, historical_es(-values, confidence), rel_tol=1e-12, abs_tol=1e-12)
    # Smaller losses are no part of it.
    assert tail_of_candidates(values[values >= var], tail, rank) == (var, es)


def test_what_is_kept_stands_in_the_order_of_scenarios_and_a_lack_of_room_is_said() -> None:
    random = np.random.default_rng(1)
    tiles = random.normal(size=(3, 2, TILE))
    scenarios, negative = 2 * TILE + 100, np.array([[-0.5, -0.5], [-1.0, 0.0]])
    losses = (negative @ tiles.transpose(1, 0, 2).reshape(2, -1))[:, :scenarios]
    kept, counts = collected(negative, tiles, 0, 3, scenarios, np.array([0.5, 1.0]), 3 * TILE)
    for p, bound in enumerate((0.5, 1.0)):
        np.testing.assert_array_equal(kept[p, : counts[p]], losses[p][losses[p] >= bound])
    _, counts = collected(negative, tiles, 0, 3, scenarios, np.array([-np.inf, 2.0]), 2 * TILE)
    assert counts[0] == -1
    assert counts[1] == (losses[1] >= 2.0).sum()


def test_bounds_leave_the_tail_and_little_more() -> None:
    random = np.random.default_rng(3)
    losses = random.standard_t(3, size=(4, 400_000))
    for share in (0.001, 0.01, 0.05):
        bounds = bounds_of(np.ascontiguousarray(losses[:, :16_384]), share)
        above = (losses >= bounds[:, None]).sum(axis=1)
        assert (above >= share * losses.shape[1]).all()
        assert (above <= room_for(losses.shape[1], share, 16_384)).all()
    assert (bounds_of(losses[:, :100], 0.9) == -np.inf).all()
