import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.nearest import RepairMethod, nearest_psd

HIGHAM = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])


def test_the_example_of_higham_comes_out() -> None:
    """Higham (2002), Computing the nearest correlation matrix, section 4: distance 0.5278, elements .7607 and .1573."""
    repair = nearest_psd(HIGHAM)
    np.testing.assert_allclose(
        repair.matrix, [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]], atol=5e-5
    )
    assert repair.distance == pytest.approx(0.5278, abs=5e-5)
    assert repair.smallest_before == pytest.approx(1 - 2**0.5)
    assert repair.largest_change == pytest.approx(1 - 0.7607, abs=5e-5)
    assert repair.changed
    assert "-0.414" in repair.describe()


def test_no_correlation_matrix_is_nearer() -> None:
    """The nearest point X of a convex set to A is the one with <A - X, Y - X> <= 0 for every Y of the set."""
    draws = np.random.default_rng(1)
    for _ in range(5):
        noise = np.triu(draws.uniform(-0.9, 0.9, (6, 6)), 1)
        matrix = noise + noise.T + np.eye(6)
        repair = nearest_psd(matrix)
        assert repair.changed
        others = [np.corrcoef(draws.normal(size=(6, rank))) for rank in (2, 3, 4, 8) for _ in range(50)]
        others += [nearest_psd(matrix, method="clip").matrix, np.eye(6)]
        signs = [np.outer(sign, sign) for sign in draws.choice([-1.0, 1.0], (50, 6))]
        assert max(np.sum((matrix - repair.matrix) * (other - repair.matrix)) for other in others + signs) < 1e-7


@settings(max_examples=30)
@given(
    assets=st.integers(2, 10), seed=st.integers(0, 2**32 - 1), method=st.sampled_from(["higham", "clip"]),
    floor=st.sampled_from([0.0, 1e-8, 0.05]),
)  # fmt: skip
def test_a_repair_keeps_variances_reaches_the_floor_and_reports_the_change(
    assets: int, seed: int, method: RepairMethod, floor: float
) -> None:
    draws = np.random.default_rng(seed)
    noise = np.triu(draws.uniform(-1, 1, (assets, assets)), 1)
    volatilities = draws.uniform(0.001, 5.0, assets)
    scale = np.outer(volatilities, volatilities)
    matrix = (noise + noise.T + np.eye(assets)) * scale
    before = matrix.copy()
    repair = nearest_psd(matrix, method=method, floor=floor)
    assert np.array_equal(matrix, before)
    np.testing.assert_allclose(repair.matrix.diagonal(), matrix.diagonal(), rtol=1e-12)
    np.testing.assert_allclose(repair.matrix, repair.matrix.T, rtol=1e-12)
    assert np.linalg.eigvalsh(repair.matrix / scale)[0] >= floor - 1e-12
    assert repair.distance == pytest.approx(np.linalg.norm((repair.matrix - matrix) / scale), abs=1e-9)
    assert repair.changed == bool(repair.smallest_before < floor)
    if not repair.changed:
        assert repair.matrix is matrix
        assert "unchanged" in repair.describe()


def test_clipping_is_never_nearer_than_the_nearest() -> None:
    assert nearest_psd(HIGHAM, method="clip").distance > nearest_psd(HIGHAM).distance


def test_bad_requests_are_refused() -> None:
    with pytest.raises(RiskError, match="Known: higham, clip"):
        nearest_psd(HIGHAM, method="newton")  # type: ignore[arg-type]
    with pytest.raises(RiskError, match="floor=1"):
        nearest_psd(HIGHAM, floor=1.0)
    with pytest.raises(RiskError, match="Asset 1 has no variance"):
        nearest_psd([[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(RiskError, match="not reached in 2000 rounds"):
        nearest_psd(HIGHAM, tolerance=0.0)
