import math

import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.monte_carlo.models import (
    CopulaModel,
    NormalModel,
    StudentModel,
    fit_copula,
    fit_normal,
    fit_student,
    root_of,
)
from nt_ray.risk.monte_carlo.scenarios import Plan, make

RANDOM = np.random.default_rng(4)
COVARIANCE = np.array([[4.0, 1.0, 0.5], [1.0, 2.0, -0.3], [0.5, -0.3, 1.0]]) * 1e-4


def test_a_root_is_a_triangle_whose_square_is_the_covariance_singular_or_not() -> None:
    loadings = RANDOM.normal(size=(6, 2))
    for matrix in (COVARIANCE, loadings @ loadings.T, np.zeros((2, 2)), np.ones((3, 3))):
        root = root_of(matrix)
        np.testing.assert_allclose(root @ root.T, matrix, atol=1e-12)
        assert (np.triu(root, 1) == 0.0).all()


def test_a_covariance_that_is_none_is_refused_not_repaired() -> None:
    with pytest.raises(RiskError, match=r"not positive semi-definite: its smallest eigenvalue is -0\.5"):
        root_of(np.array([[1.0, 1.5], [1.5, 1.0]]))
    with pytest.raises(RiskError, match="not symmetric"):
        root_of(np.array([[1.0, 0.2], [0.3, 1.0]]))
    with pytest.raises(RiskError, match="not a number"):
        root_of(np.array([[1.0, np.nan], [np.nan, 1.0]]))
    with pytest.raises(RiskError, match="Expected returns of 3 assets"):
        NormalModel(mean=np.zeros(2), covariance=COVARIANCE)
    for degrees in (2.0, math.inf, math.nan):
        with pytest.raises(RiskError, match="no finite variance"):
            StudentModel(mean=np.zeros(3), covariance=COVARIANCE, degrees=degrees)
    with pytest.raises(RiskError, match="diagonal other than 1"):
        CopulaModel(correlation=COVARIANCE, degrees=4.0, ordered=np.zeros((3, 5)))
    with pytest.raises(RiskError, match="ascending"):
        CopulaModel(correlation=np.eye(2), degrees=4.0, ordered=np.array([[0.0, 1.0], [1.0, 0.0]]))


@pytest.mark.parametrize("degrees", [3.5, 8.0])
def test_fits_find_the_model_that_drew_the_sample(degrees: float) -> None:
    model = StudentModel(mean=np.array([0.001, 0.0, -0.002]), covariance=COVARIANCE, degrees=degrees)
    sample = make(Plan(model=model, count=20_000, seed=2, double=True)).matrix().T
    fit = fit_student(sample)
    # Mean and covariance are moments; degrees are the likeliest given them, which weighs heavy tails less exactly.
    assert fit.degrees == pytest.approx(degrees, rel=0.15)
    np.testing.assert_allclose(fit.covariance, np.cov(sample.T), rtol=1e-12)
    np.testing.assert_allclose(fit_normal(sample).covariance, COVARIANCE, rtol=0.3, atol=1e-5)
    copula = fit_copula(sample[:4000])
    deviations = np.sqrt(COVARIANCE.diagonal())
    assert copula.degrees == pytest.approx(degrees, rel=0.25)
    np.testing.assert_allclose(copula.correlation, COVARIANCE / np.outer(deviations, deviations), atol=0.05)
    assert copula.repair is not None
    assert not copula.repair.changed


def test_normal_returns_have_as_many_degrees_as_there_may_be() -> None:
    sample = make(Plan(model=NormalModel(mean=np.zeros(3), covariance=COVARIANCE), count=5000, seed=3)).matrix().T
    assert fit_student(sample).degrees > 60.0


def test_correlations_of_ranks_that_fit_no_matrix_are_repaired_and_told() -> None:
    # Few observations of many assets: the matrix of pairs is indefinite.
    sample = RANDOM.normal(size=(8, 12))
    fit = fit_copula(sample, degrees=5.0)
    assert fit.repair is not None
    assert fit.repair.changed
    assert fit.repair.smallest_before < 0.0
    assert np.linalg.eigvalsh(fit.correlation)[0] > 0.0
    sample[:, 3] = 0.01
    with pytest.raises(RiskError, match="asset 3 never change"):
        fit_copula(sample)


def test_a_singular_sample_has_no_likelihood_of_degrees() -> None:
    sample = RANDOM.normal(size=(50, 2))
    with pytest.raises(RiskError, match="singular"):
        fit_student(np.column_stack([sample, np.zeros(50)]))
