from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from nt_ray.neural.ensemble import Ensemble, EnsembleHead
from nt_ray.neural.heads.heads import find_head
from nt_ray.neural.inference.bundle import load_bundle, save_bundle
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.models.base import Forecaster, Shape
from nt_ray.neural.models.registry import build, find, parameters
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train

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


def test_names_joined_by_a_plus_are_a_network_that_trains_and_is_kept_as_one(
    gappy: SeriesPanel, waves: SeriesPanel, tmp_path: Path
) -> None:
    recipe = Recipe(
        model="dlinear+gru", parameters={"gru.hidden": 4.0, "gru.layers": 1.0, "dlinear.kernel": 5.0}, lookback=12,
        horizon=4, batch=16, steps=4, validate_every=0, validation=0.2, head="quantile", levels=LEVELS,
    )  # fmt: skip
    trained = train(gappy, recipe)
    network = trained.network
    assert isinstance(network, Ensemble)
    # A linear member takes none of the inputs that the other one takes.
    assert [member.shape.past for member in network.members] == [0, 2]
    assert [member.shape.outputs for member in network.members] == [4, 4]
    save_bundle(trained, tmp_path / "model")
    again = load_bundle(tmp_path / "model")
    origins = np.array([100, 299])
    mean, quantiles = Predictor(again).windows(gappy, origins, LEVELS, refuse=False)
    # Each member alone, asked through a predictor of its own.
    heads = trained.head.heads  # type: ignore[attr-defined]
    own = []
    for member, head, name in zip(network.members, heads, ("dlinear", "gru"), strict=True):
        alone = replace(trained, network=member, head=head, recipe=recipe.model_copy(update={"model": name}))
        panel = gappy
        if name == "dlinear":
            panel = replace(gappy, past=np.empty(0), past_names=(), future=np.empty(0), future_names=(),
                            static=np.empty(0), static_names=())  # fmt: skip
            none = np.empty((2, 0))
            bare = replace(trained.scaler, past=none, future=none, static=none)
            signature = trained.signature.model_copy(update={"past": (), "future": (), "static": ()})
            alone = replace(alone, signature=signature, scaler=bare)
            panel = replace(panel, future=np.empty((3, 312, 0)))
        own.append(Predictor(alone).windows(panel, origins[:1], LEVELS, refuse=False))
    np.testing.assert_allclose(mean[:, :1], np.mean([m for m, _ in own], axis=0), rtol=1e-5)
    np.testing.assert_allclose(quantiles[:, :1], np.mean([q for _, q in own], axis=0), rtol=1e-5)


def test_an_ensemble_is_found_by_any_names_of_its_members_and_its_parameters_are_theirs() -> None:
    model = find("DLinear+n-hits")
    assert model.name == "dlinear+nhits"
    assert {"dlinear.kernel", "nhits.dropout"} <= {p.name for p in model.parameters}
    assert parameters("dlinear+dlinear", {"dlinear.kernel": 5})["dlinear.kernel"] == 5
    with pytest.raises(NeuralError, match=r"kernel"):
        parameters("dlinear+nhits", {"kernel": 5})
    with pytest.raises(NeuralError, match="did you mean 'lstm'"):
        find("dlinear+lstn")
    with pytest.raises(NeuralError, match=r"dlinear\+nlinear takes no past inputs"):
        build("dlinear+nlinear", Shape(8, 4, past=1, outputs=2))


@torch.no_grad()
def test_a_member_that_draws_paths_does_so_among_others() -> None:
    torch.manual_seed(0)
    network = build("nlinear+deepar", Shape(12, 4, outputs=6), {"deepar.hidden": 4, "deepar.layers": 1}).eval()
    assert isinstance(network, Ensemble)
    head = EnsembleHead([find_head("student_t"), find_head("student_t")])
    one = Batch(torch.randn(3, 12), torch.ones(3, 12), torch.empty(3, 12, 0), torch.empty(3, 16, 0), torch.empty(3, 0))
    outputs, levels = network(one), torch.tensor([0.1, 0.9])
    parts = [
        member.quantiles(one, own, levels, single, 5)
        for member, own, single in zip(network.members, outputs.split(3, dim=-1), head.heads, strict=True)
    ]
    torch.testing.assert_close(network.quantiles(one, outputs, levels, head, 5), (parts[0] + parts[1]) / 2)
    assert not torch.allclose(network.quantiles(one, outputs, levels, head, 5), head.quantiles(outputs, levels))
