from typing import Literal

import numpy as np
import pytest
import torch

from nt_ray.neural.ensemble import Ensemble, EnsembleHead
from nt_ray.neural.heads.heads import find_head
from nt_ray.neural.models.base import Forecaster, Shape
from nt_ray.neural.models.registry import build
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth

LEVELS = (0.1, 0.5, 0.9)
HEADS = [find_head("quantile", LEVELS), find_head("student_t"), find_head("student_t"), find_head("quantile", LEVELS)]


def members() -> list[Forecaster]:
    torch.manual_seed(0)
    return [
        build("rlinear", Shape(12, 4, outputs=4)),
        build("lstm", Shape(20, 4, past=2, outputs=3), {"hidden": 4, "layers": 1}),
        build("nlinear", Shape(20, 4, outputs=3)),
        build("dlinear", Shape(5, 4, outputs=4)),
    ]


def batch() -> Batch:
    torch.manual_seed(1)
    return Batch(torch.randn(3, 20), torch.ones(3, 20), torch.randn(3, 20, 2), torch.empty(3, 24, 0), torch.empty(3, 0))


def alone(member: Forecaster, whole: Batch) -> torch.Tensor:
    first = 20 - member.shape.lookback
    past = whole.past[:, first:] if member.shape.past else whole.past[:, first:, :0]
    return member(Batch(whole.target[:, first:], whole.mask[:, first:], past, whole.future[:, first:], whole.static))


@pytest.mark.parametrize(("rule", "combine"), [("mean", np.mean), ("median", np.median)])
@torch.no_grad()
def test_forecasts_are_the_mean_or_median_of_those_of_the_members(rule: Literal["mean", "median"], combine) -> None:
    networks = members()
    ensemble, head = Ensemble(networks).eval(), EnsembleHead(HEADS, rule)
    outputs = ensemble(batch())
    levels = torch.tensor([0.05, 0.3, 0.5, 0.99])
    own = [alone(member, batch()) for member in networks]
    points = [h.mean(o).numpy() for h, o in zip(HEADS, own, strict=True)]
    quantiles = [h.quantiles(o, levels).numpy() for h, o in zip(HEADS, own, strict=True)]
    assert outputs.shape == (3, 4, head.width)
    assert ensemble.shape == Shape(20, 4, past=2, outputs=14)
    np.testing.assert_allclose(head.mean(outputs), combine(points, axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(head.quantiles(outputs, levels), combine(quantiles, axis=0), rtol=1e-5, atol=1e-6)
    assert (head.quantiles(outputs, levels).diff(dim=-1) >= 0).all()


def test_each_member_learns_as_if_alone() -> None:
    truth = Truth(torch.randn(3, 4), torch.ones(3, 4))
    networks = members()
    head = EnsembleHead(HEADS)
    head.loss(Ensemble(networks).fitted(batch(), truth), *truth).backward()
    for single, own, member in zip(members(), HEADS, networks, strict=True):
        own.loss(alone(single, batch()), *truth).backward()
        for weight, other in zip(single.parameters(), member.parameters(), strict=True):
            assert weight.grad is not None
            torch.testing.assert_close(weight.grad, other.grad)


def test_members_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(NeuralError, match=r"Members forecast \[4, 5\] steps"):
        Ensemble([build("nlinear", Shape(8, 4)), build("nlinear", Shape(8, 5))])
    with pytest.raises(NeuralError, match=r"Members take \[1, 2\] past inputs"):
        Ensemble([build("lstm", Shape(8, 4, past=1)), build("lstm", Shape(8, 4, past=2))])
    with pytest.raises(NeuralError, match="no networks"):
        Ensemble([])
    with pytest.raises(NeuralError, match="no heads"):
        EnsembleHead([])
    with pytest.raises(NeuralError, match="read 14 outputs, the networks have 3"):
        EnsembleHead(HEADS).mean(torch.zeros(1, 4, 3))
    with pytest.raises(NeuralError, match="Draw from its members"):
        EnsembleHead(HEADS).draw(torch.zeros(1, 4, 14), torch.full((1, 4, 2), 0.5))
