import numpy as np
import pytest
from scipy import stats

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.student import student_cdf, student_density, student_quantile

DEGREES = (0.7, 1.0, 2.0, 2.5, 4.0, 30.0, 2000.0)


@pytest.mark.parametrize("freedom", DEGREES)
def test_distribution_density_and_quantile_agree_with_scipy(freedom: float) -> None:
    z = np.array([-30.0, -3.0, -1.0, -1e-3, 0.0, 0.5, 2.0, 10.0])
    v = np.full_like(z, freedom)
    np.testing.assert_allclose(student_cdf(z, v), stats.t.cdf(z, freedom), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(student_density(z, v), stats.t.pdf(z, freedom), rtol=1e-10, atol=1e-300)
    for level in (0.01, 0.5, 0.975):
        assert student_quantile(level, freedom) == pytest.approx(stats.t.ppf(level, freedom), rel=1e-9, abs=1e-9)


def test_a_level_outside_of_zero_and_one_is_refused() -> None:
    with pytest.raises(NeuralError, match=r"level=1\.0"):
        student_quantile(1.0, 3.0)
