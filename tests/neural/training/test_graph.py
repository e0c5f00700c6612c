"""Steps replayed from a CUDA graph; needs a GPU and says so where there is none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.graph import GraphStep, capturable
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import Training

Maker = Callable[..., Forecaster]
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")


def run(
    panel: SeriesPanel, recipe: Recipe, network: Forecaster, *, plain: bool, resume: Path | None = None
) -> Training:
    training = Training(panel, recipe, device="cuda", network=network, plain=plain)
    if resume is not None:
        training.load(resume)
    training.run()
    return training


@on_gpu
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_replayed_steps_train_like_plain_ones(
    waves: SeriesPanel, recipe: Recipe, straight: Maker, dropout: float
) -> None:
    plain = run(waves, recipe, straight(recipe, dropout), plain=True)
    graph = run(waves, recipe, straight(recipe, dropout), plain=False)
    assert isinstance(graph._steps, GraphStep)
    np.testing.assert_allclose(graph.losses(), plain.losses(), rtol=2e-4)
    for ours, theirs in zip(graph.optimiser.parameters, plain.optimiser.parameters, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-4, atol=2e-5)


@on_gpu
def test_a_replayed_run_resumes_to_the_same_bits(
    waves: SeriesPanel, recipe: Recipe, straight: Maker, tmp_path: Path
) -> None:
    whole = run(waves, recipe, straight(recipe, 0.2), plain=False)
    part = Training(waves, recipe, device="cuda", network=straight(recipe, 0.2))
    part.run(until=33)
    part.save(tmp_path / "state")
    resumed = run(waves, recipe, straight(recipe, 0.2), plain=False, resume=tmp_path / "state")
    np.testing.assert_array_equal(whole.losses(), resumed.losses())
    for ours, theirs in zip(whole.optimiser.parameters, resumed.optimiser.parameters, strict=True):
        assert torch.equal(ours, theirs)


def test_networks_that_a_replay_would_change_are_not_captured(recipe: Recipe, straight: Maker) -> None:
    network = straight(recipe, 0.2)
    assert capturable(network)
    network.add_module("cells", nn.LSTM(3, 3, num_layers=2, dropout=0.1))
    assert not capturable(network)


def test_without_a_gpu_steps_run_one_by_one(waves: SeriesPanel, recipe: Recipe) -> None:
    training = Training(waves, recipe)
    training.advance()
    assert not isinstance(training._steps, GraphStep)
