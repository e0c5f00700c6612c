import numpy as np
import pytest

from nt_ray.errors import ConfigError, RiskError
from nt_ray.portfolio.moments.covariance import ESTIMATORS, dense, estimate
from nt_ray.portfolio.moments.factor_covariance import FactorCovariance
from nt_ray.types import FloatArray


def parameters(name: str, index: FloatArray) -> dict[str, object]:
    needed: dict[str, dict[str, object]] = {
        "given_factors": {"factors": index[:, None]},
        "principal_factors": {"count": 3},
    }
    return needed.get(name, {})


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_gives_a_covariance_near_the_truth(name: str, stocks: FloatArray, index: FloatArray) -> None:
    found = estimate(name, stocks, **parameters(name, index))
    assert isinstance(found, FactorCovariance) == name.endswith("factors")
    matrix = dense(found)
    np.linalg.cholesky(matrix)
    if name != "ewma":
        equal = np.full(20, 1 / 20)
        assert equal @ matrix @ equal == pytest.approx((stocks @ equal).var(), rel=0.1)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_refuses_what_is_missing_by_name(name: str, stocks: FloatArray, index: FloatArray) -> None:
    holed = stocks.copy()
    holed[17, 3] = np.nan
    with pytest.raises(RiskError, match="Returns at 17 of S3: nan"):
        estimate(name, holed, assets=[f"S{at}" for at in range(20)], **parameters(name, index))


def test_unknown_names_and_parameters_are_refused(stocks: FloatArray) -> None:
    with pytest.raises(ConfigError, match="nearest is 'ledoit_wolf'"):
        estimate("ledoit-wolff", stocks)
    with pytest.raises(ConfigError, match=r"has no parameter 'lambda_'\. It has: decay"):
        estimate("ewma", stocks, lambda_=0.9)
    with pytest.raises(ConfigError, match="needs the parameter 'count'"):
        estimate("principal_factors", stocks)
