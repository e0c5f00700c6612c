import numpy as np
import pytest

from nt_ray.errors import RiskError
from nt_ray.risk.kelly.estimation import posterior_probability, shrink_factor, toward_market, trust_from_errors


def test_trust_mixes_own_and_market() -> None:
    assert toward_market([0.6, 0.4], [0.5, 0.5], 0.3) == pytest.approx([0.53, 0.47])
    assert trust_from_errors(0.03, 0.01) == pytest.approx(0.1)
    assert trust_from_errors(0.0, 0.01) == 1.0


def test_inverse_variance_trust_has_the_smallest_error() -> None:
    rng = np.random.default_rng(2)
    truth = rng.uniform(0.3, 0.7, 100_000)
    own, market = truth + rng.normal(0, 0.04, truth.size), truth + rng.normal(0, 0.02, truth.size)
    errors = {a: float(np.mean((a * own + (1 - a) * market - truth) ** 2)) for a in (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)}
    assert min(errors, key=errors.__getitem__) == pytest.approx(trust_from_errors(0.04, 0.02))


def test_the_posterior_lies_between_market_and_record() -> None:
    assert posterior_probability(0.5, 100.0, 70, 100) == pytest.approx(0.6)
    assert posterior_probability(0.5, 100.0, 0, 0) == 0.5
    assert posterior_probability(0.5, 0.0, 7, 10) == 0.7


@pytest.mark.parametrize(("truth", "odds", "error"), [(0.54, 2.0, 0.03), (0.3, 4.0, 0.04), (0.55, 2.0, 0.02)])
def test_the_shrink_factor_is_what_brute_force_finds_best(truth: float, odds: float, error: float) -> None:
    # Truth fixed, estimates scattered around it, every factor tried on all of them.
    estimates = np.clip(np.random.default_rng(7).normal(truth, error, 50_000), 0.0, 1.0)
    stakes = np.maximum((odds * estimates - 1.0) / (odds - 1.0), 0.0)
    factors = np.linspace(0.3, 1.0, 36)
    growth = [
        np.mean(truth * np.log1p((odds - 1.0) * k * stakes) + (1.0 - truth) * np.log1p(-k * stakes)) for k in factors
    ]
    assert shrink_factor(truth, odds, error) == pytest.approx(factors[int(np.argmax(growth))], abs=0.06)


def test_a_certain_edge_is_not_shrunk_and_no_edge_gets_nothing() -> None:
    assert shrink_factor(0.6, 2.0, 0.0) == 1.0
    assert shrink_factor(0.4, 2.0, 0.1) == 0.0


def test_nonsense_is_refused() -> None:
    with pytest.raises(RiskError, match=r"Trust 1\.5"):
        toward_market([0.5], [0.5], 1.5)
    with pytest.raises(RiskError, match="Give the same"):
        toward_market([0.5], [0.5, 0.5], 0.5)
    with pytest.raises(RiskError, match="between 0 and 1"):
        toward_market([1.5], [0.5], 0.5)
    with pytest.raises(RiskError, match="cannot be weighed"):
        trust_from_errors(0.0, 0.0)
    with pytest.raises(RiskError, match="no posterior"):
        posterior_probability(0.5, 0.0, 3, 2)
    with pytest.raises(RiskError, match="Standard error -1"):
        shrink_factor(0.6, 2.0, -1.0)
