import numpy as np
import torch
from statsmodels.tsa.stattools import acf, ccf

from nt_ray.neural.synthetic.dependence import KINDS, correlations, curves

PATHS = np.random.default_rng(5).standard_t(5, (3, 401))


def test_correlations_equal_statsmodels_with_the_divisor_n_minus_k() -> None:
    for path in PATHS:
        found = correlations(torch.from_numpy(path), torch.from_numpy(path), 50)
        np.testing.assert_allclose(found.numpy(), acf(path, adjusted=True, nlags=50, fft=False)[1:], atol=1e-12)


def test_correlations_of_two_series_look_from_the_first_to_later_values_of_the_second() -> None:
    a, b = PATHS[0], np.square(PATHS[1]) + np.roll(PATHS[0], 3)
    found = correlations(torch.from_numpy(a), torch.from_numpy(b), 50)
    np.testing.assert_allclose(found.numpy(), ccf(b, a, adjusted=True, nlags=51, fft=False)[1:51], atol=1e-12)
    assert int(found.argmax()) + 1 == 3


def test_curves_are_those_of_each_path_in_the_order_of_their_names() -> None:
    found = curves(torch.from_numpy(PATHS), 20)
    assert found.shape == (len(KINDS), 3, 20)
    for i, path in enumerate(PATHS):
        np.testing.assert_allclose(found[1, i], acf(np.abs(path), adjusted=True, nlags=20, fft=False)[1:], atol=1e-12)
        np.testing.assert_allclose(found[2, i], acf(path**2, adjusted=True, nlags=20, fft=False)[1:], atol=1e-12)
        lever = ccf(path**2, path, adjusted=True, nlags=21, fft=False)[1:21]
        np.testing.assert_allclose(found[3, i], lever, atol=1e-12)
