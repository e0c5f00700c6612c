import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import lambertw

from nt_ray.neural.synthetic.lambert import lambert_w, tail_weight, with_tails, without_tails


def test_lambert_w_equals_scipys_from_the_least_to_the_largest_numbers() -> None:
    x = np.concatenate(([0.0], np.geomspace(1e-300, 1e300, 4001), np.linspace(0.0, 50.0, 4001)))
    np.testing.assert_allclose(lambert_w(x), lambertw(x).real, rtol=1e-14, atol=0.0)


def test_lambert_w_passes_nan_on() -> None:
    found = lambert_w(np.array([np.nan, 1.0]))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.5671432904097838, rel=1e-15)


@given(u=st.floats(-8.0, 8.0), delta=st.floats(0.0, 1.0))
def test_tails_put_on_come_off_again(u: float, delta: float) -> None:
    heavy = with_tails(torch.tensor([u], dtype=torch.float64), delta).numpy()
    np.testing.assert_allclose(without_tails(heavy, delta), [u], rtol=1e-9, atol=1e-12)


def test_the_tail_weight_leaves_the_kurtosis_that_was_asked_for() -> None:
    z = np.random.default_rng(1).standard_t(5, 5000)
    for kurtosis in (3.0, 5.0):
        inner = without_tails(z, tail_weight(z, kurtosis))
        centred = inner - inner.mean()
        assert np.mean(centred**4) / np.mean(centred**2) ** 2 == pytest.approx(kurtosis, abs=1e-8)


def test_the_tail_weight_of_gaussian_draws_with_tails_is_found_again() -> None:
    u = np.random.default_rng(2).standard_normal(30_000)
    z = with_tails(torch.from_numpy(u), 0.1).numpy()
    assert tail_weight(z) == pytest.approx(0.1, abs=0.015)


def test_light_tails_are_left_alone() -> None:
    z = np.random.default_rng(3).uniform(-1.0, 1.0, 1000)
    assert tail_weight(z) == 0.0
    np.testing.assert_array_equal(without_tails(z, 0.0), z)
