import numpy as np
import pytest
from scipy import stats

from nt_ray.risk.monte_carlo.margins import distribution_table, to_margin

RANDOM = np.random.default_rng(6)


@pytest.mark.parametrize("degrees", [2.05, 3.0, 7.5, 200.0])
def test_a_margin_is_the_quantile_of_the_t_distribution(degrees: float) -> None:
    z, chi = RANDOM.normal(size=20_000) * 1.5, RANDOM.chisquare(degrees, 20_000)
    # Order statistics i / T make the quantile u T - 1/2 readable as u.
    count = 1000
    ordered = np.arange(count) + 0.5
    found = z.copy()
    to_margin(found, chi, z.size, ordered, distribution_table(degrees))
    u = stats.t(degrees).cdf(z / np.sqrt(chi / degrees))
    wanted = np.clip(u * count, 0.5, count - 0.5)
    assert np.abs(found - wanted).max() < (2e-3 if degrees < 2.5 else 1e-4)
    assert np.median(np.abs(found - wanted)) < 1e-6


def test_margins_interpolate_the_sample_and_stay_within_it() -> None:
    ordered = np.sort(RANDOM.standard_t(3, 250)) * 0.01
    z = RANDOM.normal(size=50_000).astype(np.float32)
    found = z.copy()
    to_margin(found, np.full(z.size, 4.0), z.size, ordered.astype(np.float32), distribution_table(4.0))
    u = stats.t(4.0).cdf(z.astype(float))
    wanted = np.quantile(ordered, np.clip(u, 0.0, 1.0), method="hazen")
    np.testing.assert_allclose(found, wanted, atol=2e-8)
    assert found.min() >= np.float32(ordered[0])
    assert found.max() <= np.float32(ordered[-1])
    assert (np.diff(found[np.argsort(z, kind="stable")]) >= -1e-9).all()
