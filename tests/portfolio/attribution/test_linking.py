import numpy as np
import pytest

from nt_ray.portfolio.attribution.linking import active_factors, compound


def test_carino_by_hand() -> None:
    """Two periods of 10 % against 5 % and 2 % against 4 %: k = (ln 1.122 - ln 1.092) / 0.03, and so on."""
    portfolio, benchmark = np.array([0.10, 0.02]), np.array([0.05, 0.04])
    whole = np.log(1.122 / 1.092) / 0.03
    expected = [np.log(1.10 / 1.05) / 0.05 / whole, np.log(1.02 / 1.04) / -0.02 / whole]
    np.testing.assert_allclose(active_factors(portfolio, benchmark), expected, rtol=1e-12)


def test_menchero_by_hand() -> None:
    """Menchero (2000): M = ((R - B) / T) / ((1 + R)^(1/T) - (1 + B)^(1/T)), plus a share of each active return."""
    portfolio, benchmark = np.array([0.10, 0.02]), np.array([0.05, 0.04])
    natural = (0.03 / 2) / (1.122**0.5 - 1.092**0.5)
    share = (0.03 - natural * 0.03) / (0.05**2 + 0.02**2)
    expected = [natural + share * 0.05, natural - share * 0.02]
    np.testing.assert_allclose(active_factors(portfolio, benchmark, "menchero"), expected, rtol=1e-12)


def test_where_both_are_equal_the_factor_is_its_limit() -> None:
    same = np.array([0.1, 0.2, -0.3])
    np.testing.assert_allclose(active_factors(same, same), active_factors(same + 1e-7, same), rtol=1e-5)
    whole = 1.1 * 1.2 * 0.7
    assert compound(same) == pytest.approx(whole - 1)
    np.testing.assert_allclose(active_factors(same, same, "menchero"), whole ** (2 / 3), rtol=1e-12)
