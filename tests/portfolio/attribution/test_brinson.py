import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.attribution.brinson import brinson
from nt_ray.portfolio.attribution.linking import Linking


def test_one_period_by_hand() -> None:
    """Equity, bonds, cash: benchmark 4.4 %, portfolio 7.6 %, so 320 basis points to explain."""
    found = brinson([[0.7, 0.2, 0.1]], [[0.5, 0.4, 0.1]], [[0.10, 0.02, 0.02]], [[0.08, 0.00, 0.04]])
    np.testing.assert_allclose(found.allocation, [0.2 * 0.036, -0.2 * -0.044, 0.0], atol=1e-15)
    np.testing.assert_allclose(found.selection, [0.01, 0.008, -0.002], atol=1e-15)
    np.testing.assert_allclose(found.interaction, [0.004, -0.004, 0.0], atol=1e-15)
    assert found.portfolio_return == pytest.approx(0.076)
    assert found.benchmark_return == pytest.approx(0.044)
    assert found.allocation.sum() + found.selection.sum() + found.interaction.sum() == pytest.approx(0.032)


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1), periods=st.integers(1, 30), segments=st.integers(1, 6),
    linking=st.sampled_from(["carino", "menchero"]), size=st.sampled_from([0.0, 1e-9, 0.01, 0.2]),
)  # fmt: skip
def test_linked_effects_and_costs_sum_to_the_active_return(
    seed: int, periods: int, segments: int, linking: Linking, size: float
) -> None:
    draws = np.random.default_rng(seed)
    held, base = draws.dirichlet(np.ones(segments), (2, periods))
    returns, other = np.clip(draws.normal(0, size, (2, periods, segments)), -0.8, None)
    costs = draws.uniform(0, 0.001, periods)
    found = brinson(held, base, returns, other, costs=costs, linking=linking)
    assert found.portfolio_return == pytest.approx(np.prod(1 + (held * returns).sum(1) - costs) - 1, abs=1e-12)
    assert found.benchmark_return == pytest.approx(np.prod(1 + (base * other).sum(1)) - 1, abs=1e-12)
    assert abs(found.residual) < 1e-12 * max(1.0, abs(found.portfolio_return))
    assert found.costs <= 0.0
    sums = found.by_period.sum(axis=(1, 2))
    np.testing.assert_allclose(sums, (held * returns).sum(1) - (base * other).sum(1), atol=1e-13)


@pytest.mark.parametrize("linking", ["carino", "menchero"])
def test_equal_periods_share_the_effect_equally(linking: Linking) -> None:
    weights, base = [[0.6, 0.4]] * 4, [[0.5, 0.5]] * 4
    returns = [[0.02, 0.01]] * 4
    found = brinson(weights, base, returns, returns, linking=linking)
    active = 1.016**4 - 1.015**4
    assert found.allocation.sum() == pytest.approx(active, rel=1e-12)
    np.testing.assert_allclose(found.selection, 0.0, atol=1e-18)


def test_what_one_side_does_not_hold_is_allocation() -> None:
    found = brinson([[1.0, 0.0]], [[0.5, 0.5]], [[0.1, np.nan]], [[0.1, 0.02]])
    assert found.selection.tolist() == [0.0, 0.0]
    assert found.interaction.tolist() == [0.0, 0.0]
    assert found.allocation.sum() == pytest.approx(0.04)
    neither = brinson([[1.0, 0.0]], [[1.0, 0.0]], [[0.1, np.nan]], [[0.1, np.nan]])
    assert neither.active_return == 0.0


def test_bad_input_is_refused() -> None:
    good = [[0.5, 0.5]]
    with pytest.raises(RiskError, match=r"In period 0 the weights sum to 1\.1.*Make cash a segment"):
        brinson([[0.6, 0.5]], good, good, good)
    with pytest.raises(RiskError, match=r"Returns at \(0, 1\): nan"):
        brinson(good, good, [[0.1, np.nan]], good)
    with pytest.raises(RiskError, match="Benchmark returns have shape"):
        brinson(good, good, good, [[0.1]])
    with pytest.raises(RiskError, match="total loss"):
        brinson(good, good, [[-1.0, -1.0]], good)
    with pytest.raises(RiskError, match="Known: carino, menchero"):
        brinson(good, good, good, good, linking="geometric")  # type: ignore[arg-type]
    with pytest.raises(RiskError, match="cost of period 0"):
        brinson(good, good, good, good, costs=[-0.1])
    with pytest.raises(RiskError, match="2 costs for 1 periods"):
        brinson(good, good, good, good, costs=[0.1, 0.1])
    with pytest.raises(RiskError, match="1 segment names for 2"):
        brinson(good, good, good, good, segments=["all"])
    with pytest.raises(RiskError, match="sum to zero"):
        brinson([[0.5, -0.5]], [[0.5, -0.5]], good, good)
