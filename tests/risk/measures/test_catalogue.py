import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.measures.catalogue import MEASURES, all_measures, measure
from nt_ray.risk.measures.historical import historical

OWN = ("historical", "age_weighted", "volatility_weighted", "normal", "student_t", "cornish_fisher", "filtered")
RETURNS = np.random.default_rng(6).standard_t(6, 800) * 0.01


def test_every_method_of_this_folder_has_a_name() -> None:
    assert set(OWN) <= set(MEASURES)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("horizon", [1, 5])
def test_every_method_answers_in_the_same_shape(name: str, horizon: int) -> None:
    panel = np.column_stack((RETURNS, 0.5 * RETURNS))
    tail = measure(name, panel, 0.975, horizon, weights=[1.0, -0.2])
    assert (tail.method, tail.confidence, tail.horizon) == (name, 0.975, horizon)
    assert tail.es > tail.var > 0.0
    assert tail.observations >= 500


@pytest.mark.parametrize("name", OWN)
def test_every_method_scales_with_the_size_of_its_book(name: str) -> None:
    one, two = measure(name, RETURNS, 0.975), measure(name, 2.0 * RETURNS, 0.975)
    assert (two.var, two.es) == pytest.approx((2.0 * one.var, 2.0 * one.es), rel=1e-4)


def test_side_by_side_one_that_refuses_does_not_stop_the_others() -> None:
    flat = np.random.default_rng(1).uniform(-0.01, 0.01, 300)
    both = all_measures(flat, 0.95, names=OWN, params={"age_weighted": {"decay": 0.99}})
    assert set(both.refused) == {"cornish_fisher"}
    assert set(both.tails) == set(OWN) - {"cornish_fisher"}
    assert both.tails["historical"] == historical(flat, 0.95)
    assert "fall by 0.01" in both.tails["age_weighted"].notes[0]


def test_unknown_names_parameters_and_ranges_are_refused() -> None:
    with pytest.raises(RiskError, match="no measure 'histrical'"):
        measure("histrical", RETURNS, 0.95)
    with pytest.raises(RiskError, match="no parameter 'decay'"):
        measure("historical", RETURNS, 0.95, decay=0.9)
    with pytest.raises(RiskError, match="no measure 'x'"):
        all_measures(RETURNS, 0.95, params={"x": {}})
    with pytest.raises(RiskError, match=r"between 0\.5 and 1"):
        measure("normal", RETURNS, 0.05)
    with pytest.raises(RiskError, match="Horizon 0"):
        all_measures(RETURNS, 0.95, 0)
    for horizon in (float("nan"), float("inf"), 1.5):
        with pytest.raises(RiskError, match=f"Horizon {horizon}"):
            measure("historical", RETURNS, 0.95, horizon)  # type: ignore[arg-type]
    with pytest.raises(RiskError, match="at 3"):
        measure("normal", np.where(np.arange(800) == 3, np.nan, RETURNS), 0.95)
