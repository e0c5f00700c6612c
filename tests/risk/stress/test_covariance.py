import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.stress.covariance import shocked_covariance


def correlations(covariance: np.ndarray) -> np.ndarray:
    volatilities = np.sqrt(np.diag(covariance))
    return covariance / np.outer(volatilities, volatilities)


def test_nothing_asked_nothing_changed(covariance: np.ndarray) -> None:
    after = shocked_covariance(covariance)
    assert after.covariance == pytest.approx(covariance, abs=1e-18)
    assert after.repairs == ()


def test_volatilities_are_multiplied_and_correlations_raised(covariance: np.ndarray) -> None:
    after = shocked_covariance(covariance, volatility=2.0, correlation=0.1)
    assert np.sqrt(np.diag(after.covariance)) == pytest.approx(2.0 * np.sqrt(np.diag(covariance)))
    before, now = correlations(covariance), correlations(after.covariance)
    off = ~np.eye(5, dtype=bool)
    assert now[off] == pytest.approx(before[off] + 0.1, abs=1e-12)
    assert after.repairs == ()


def test_an_invalid_raise_is_repaired_and_reported() -> None:
    given = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.8], [0.3, 0.8, 1.0]])
    after = shocked_covariance(given, correlation=0.2)
    assert np.linalg.eigvalsh(after.covariance)[0] > -1e-10
    assert after.covariance.max() <= 1.0 + 1e-12
    assert len(after.repairs) == 1
    assert "repaired" in after.repairs[0]


def test_the_way_to_one_needs_no_repair(covariance: np.ndarray) -> None:
    whole = shocked_covariance(covariance, correlation=1.0, method="toward_one")
    assert correlations(whole.covariance) == pytest.approx(np.ones((5, 5)), abs=1e-9)
    half = shocked_covariance(covariance, correlation=0.5, method="toward_one")
    assert half.repairs == ()
    assert correlations(half.covariance) == pytest.approx((correlations(covariance) + 1.0) / 2.0, abs=1e-12)


def test_bad_factors_are_refused(covariance: np.ndarray) -> None:
    with pytest.raises(RiskError, match="Volatility factor 0"):
        shocked_covariance(covariance, volatility=0.0)
    with pytest.raises(RiskError, match=r"correlation 1\.5"):
        shocked_covariance(covariance, correlation=1.5)
    with pytest.raises(RiskError, match="Unknown method"):
        shocked_covariance(covariance, method="multiply")  # type: ignore[arg-type]
    with pytest.raises(RiskError, match="has no variance"):
        shocked_covariance(np.zeros((2, 2)))
    # What was invalid before the shock is not the shock's to repair.
    with pytest.raises(RiskError, match="not positive semi-definite"):
        shocked_covariance([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
