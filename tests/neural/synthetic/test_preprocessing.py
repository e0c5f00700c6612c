import numpy as np
import pytest
import torch
from scipy import special, stats

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.preprocessing import Preprocessing

RETURNS = 0.001 + 0.01 * np.random.default_rng(4).standard_t(4, 3000)


def test_forward_is_standardise_inverse_lambert_w_standardise() -> None:
    fitted = Preprocessing.fit(RETURNS)
    z = stats.zscore(RETURNS)
    inner = np.sign(z) * np.sqrt(special.lambertw(fitted.delta * z**2).real / fitted.delta)
    np.testing.assert_allclose(fitted.forward(RETURNS), stats.zscore(inner), rtol=1e-10, atol=1e-12)
    assert stats.kurtosis(fitted.forward(RETURNS), fisher=False) == pytest.approx(3.0, abs=1e-8)


@pytest.mark.parametrize("kurtosis", [3.0, 6.0, 1000.0])
def test_inverse_undoes_forward(kurtosis: float) -> None:
    fitted = Preprocessing.fit(RETURNS, kurtosis)
    assert (fitted.delta == 0.0) == (kurtosis == 1000.0)
    back = fitted.inverse(torch.from_numpy(fitted.forward(RETURNS))).numpy()
    np.testing.assert_allclose(back, RETURNS, rtol=1e-11, atol=1e-14)


def test_new_returns_are_scaled_as_the_fitted_ones() -> None:
    fitted = Preprocessing.fit(RETURNS)
    np.testing.assert_array_equal(fitted.forward(RETURNS[:10]), fitted.forward(RETURNS)[:10])


@pytest.mark.parametrize("value", [0.0, 0.01, 1e-30])
def test_returns_that_are_all_the_same_are_refused(value: float) -> None:
    with pytest.raises(NeuralError, match="Give returns that vary"):
        Preprocessing.fit(np.full(100, value))
