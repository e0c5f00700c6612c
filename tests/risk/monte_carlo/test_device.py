import numpy as np
import pytest
import torch

from nt_ray.errors import RiskError
from nt_ray.risk.monte_carlo.device import check_device, evaluate, returns, words
from nt_ray.risk.monte_carlo.models import NormalModel, StudentModel
from nt_ray.risk.monte_carlo.scenarios import Plan, make
from nt_ray.risk.monte_carlo.words import fill_words, seed_key

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")),
]
COVARIANCE = np.array([[4.0, 1.0, 0.5], [1.0, 2.0, -0.3], [0.5, -0.3, 1.0]]) * 1e-4
MODEL = NormalModel(mean=np.array([0.001, 0.0, -0.002]), covariance=COVARIANCE)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", [0, 2**63 - 1, 123_456_789_012])
def test_words_are_those_of_the_compiled_code(device: str, seed: int) -> None:
    for first, place, period, purpose in ((0, 0, 0, 0), (2**32 - 1000, 2**31, 7, 3), (77, 12, 2**32 - 1, 1)):
        wanted = np.empty((4, 1000), dtype=np.uint32)
        fill_words(*seed_key(seed), first, place, period, purpose, wanted)
        numbers = torch.arange(first, first + 1000, device=device)
        found = words(seed, numbers, place, period, purpose)
        np.testing.assert_array_equal(torch.stack(found).cpu().numpy(), wanted)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("double", [False, True])
def test_scenarios_and_tails_are_those_of_the_compiled_code(device: str, double: bool) -> None:
    plan = Plan(model=MODEL, count=30_000, seed=4, horizon=5, double=double)
    scenarios, close = make(plan), 1e-14 if double else 5e-7
    np.testing.assert_allclose(returns(plan, 0, 30_000, device).cpu().numpy(), scenarios.matrix(), atol=close)
    weights = np.array([[0.5, 0.2, 0.3], [1.0, -1.0, 0.0]])
    tails = scenarios.evaluate(weights, 0.99)
    var, es = evaluate(plan, torch.from_numpy(weights), 0.99, device)
    np.testing.assert_allclose([var.cpu(), es.cpu()], [tails.var, tails.es], atol=close)


def test_what_a_device_cannot_do_is_refused() -> None:
    with pytest.raises(RiskError, match="only normal models"):
        returns(Plan(model=StudentModel(mean=MODEL.mean, covariance=COVARIANCE, degrees=4.0)), 0, 10)
    with pytest.raises(RiskError, match="has no number"):
        returns(Plan(model=MODEL), 2**32 - 5, 10)
    plan, held = Plan(model=MODEL, count=1000), torch.tensor([[0.5, 0.2, 0.3]])
    for weights, confidence, said in (
        (held, 1.0, "Confidence 1"),
        (held, 0.9999, "less than one"),
        (held[:, :2], 0.95, "3 assets"),
        (held * torch.nan, 0.95, "not a number"),
    ):
        with pytest.raises(RiskError, match=said):
            evaluate(plan, weights, confidence)
    with pytest.raises(RiskError, match="'abacus'"):
        check_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(RiskError, match="not on this machine"):
            check_device("cuda")
