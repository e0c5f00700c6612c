import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import RiskError
from nt_ray.portfolio.moments.checks import check_covariance, check_semidefinite


def covariance(assets: int, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed).normal(size=(2 * assets, assets))
    return draws.T @ draws


@given(assets=st.sampled_from([1, 2, 31, 32, 33, 64, 70]), data=st.data())
def test_one_wrong_element_anywhere_is_found_and_named(assets: int, data: st.DataObject) -> None:
    matrix = covariance(assets)
    assert check_covariance(matrix) is matrix
    i = data.draw(st.integers(0, assets - 1))
    j = data.draw(st.integers(0, assets - 1))
    wrong = data.draw(st.sampled_from([math.nan, math.inf, -math.inf, matrix[i, j] + 1.0]))
    if i == j and math.isfinite(wrong):
        return
    matrix[i, j] = wrong
    with pytest.raises(RiskError, match=rf"\b{min(i, j)}\b") as caught:
        check_covariance(matrix)
    assert str(max(i, j)) in str(caught.value)


def test_rounding_is_no_asymmetry() -> None:
    matrix = covariance(40)
    matrix[3, 7] *= 1.0 + 1e-13
    check_covariance(matrix)


def test_names_stand_in_errors() -> None:
    matrix = covariance(3)
    matrix[0, 2] = math.nan
    with pytest.raises(RiskError, match="Covariance of AAA and CCC: nan is not a number"):
        check_covariance(matrix, names=["AAA", "BBB", "CCC"])
    matrix = covariance(3)
    matrix[1, 1] = -0.5
    with pytest.raises(RiskError, match=r"the variance of BBB is -0\.5"):
        check_covariance(matrix, names=["AAA", "BBB", "CCC"])


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 0), (2, 2, 2)])
def test_what_is_no_square_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RiskError, match="one row and one column an asset"):
        check_covariance(np.ones(shape))


def test_singular_passes_and_indefinite_does_not() -> None:
    check_semidefinite(np.ones((5, 5)))
    check_semidefinite(np.zeros((2, 2)))
    check_semidefinite(covariance(8))
    with pytest.raises(RiskError, match=r"smallest eigenvalue is -1\b.*nearest_psd"):
        check_semidefinite(np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_the_check_leaves_the_matrix_as_it_was() -> None:
    matrix = covariance(10)
    matrix.flags.writeable = False
    before = matrix.copy()
    check_semidefinite(check_covariance(matrix))
    assert np.array_equal(matrix, before)
