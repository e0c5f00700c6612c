"""Whole numbers as periods, counts and seeds are asked for: NaN and infinity are none."""

import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.portfolio.correlation import rolling
from nt_ray.portfolio.inputs import check_horizon, is_whole
from nt_ray.portfolio.moments.factors import principal_factors
from nt_ray.portfolio.regimes import fit_regimes
from nt_ray.risk.monte_carlo.words import seed_key

RETURNS = np.random.default_rng(0).normal(size=(100, 3))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 2.5, 0])
def test_what_is_no_whole_number_from_one_on_is_refused_with_its_value(number) -> None:
    assert not is_whole(number, 1)
    for ask in (
        check_horizon,
        lambda count: rolling(RETURNS, count),
        lambda count: principal_factors(RETURNS, count=count),
        lambda count: fit_regimes(RETURNS, states=count),
        lambda count: seed_key(count - 1),
    ):
        with pytest.raises(RiskError, match=r"nan|inf|2\.5|1\.5|0|-1"):
            ask(number)


def test_whole_floats_count_as_whole() -> None:
    assert is_whole(3.0, 1)
    assert is_whole(np.int64(3), 3)
    assert check_horizon(10.0) == 10  # type: ignore[arg-type]
