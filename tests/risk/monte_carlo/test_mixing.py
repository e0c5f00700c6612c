import numpy as np
import pytest
from scipy import stats

from nt_ray.risk.monte_carlo.mixing import fill_chi_squares


def drawn(first: int, count: int, degrees: float) -> np.ndarray:
    out = np.empty((2, count))
    fill_chi_squares(3, 4, first, 0, degrees, count, np.empty((4, count), dtype=np.uint32), out)
    return out[0]


@pytest.mark.parametrize("degrees", [2.05, 3.0, 5.5, 120.0])
def test_chi_squares_have_their_distribution(degrees: float) -> None:
    assert stats.kstest(drawn(0, 40_000, degrees), stats.chi2(degrees).cdf).pvalue > 1e-3


def test_a_chi_square_depends_on_its_scenario_alone() -> None:
    # Long enough that some attempts are refused.
    whole = drawn(100, 3000, 2.05)
    np.testing.assert_array_equal(drawn(600, 1100, 2.05), whole[500:1600])
