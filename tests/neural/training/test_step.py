from collections.abc import Callable

import numpy as np
import pytest
import torch

from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.optimiser import AdamW
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.step import PlainStep, Task
from nt_ray.neural.training.training import Training

Maker = Callable[..., Forecaster]


def parts(panel: SeriesPanel, recipe: Recipe, network: Forecaster) -> tuple[Task, AdamW, PlainStep]:
    run = Training(panel, recipe, network=network)
    return run.task, run.optimiser, PlainStep(run.task, run.optimiser)


def flat(network: Forecaster) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in network.state_dict().values()]).clone()


def test_steps_are_those_of_torch_on_the_same_windows(waves: SeriesPanel, recipe: Recipe, straight: Maker) -> None:
    recipe = recipe.model_copy(update={"clip": 0.05, "weight_decay": 0.1, "scaling": "none", "schedule": "cosine"})
    task, _, step = parts(waves, recipe, straight(recipe))
    other = straight(recipe)
    torchs = torch.optim.AdamW(other.parameters(), lr=1.0, weight_decay=0.1)
    values = torch.from_numpy(waves.target).float()
    losses = []
    for number in range(8):
        series, origin = (column.tolist() for column in task.windows.locate(task.sampler().places(number)))
        past = torch.stack([values[s, o - 11 : o + 1] for s, o in zip(series, origin, strict=True)])
        truth = torch.stack([values[s, o + 1 : o + 5] for s, o in zip(series, origin, strict=True)])
        loss = (other.layer(past) - truth).square().mean()
        torchs.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), 0.05)
        torchs.param_groups[0]["lr"] = 0.01 * (1 + np.cos(np.pi * number / recipe.steps)) / 2
        torchs.step()
        losses.append(loss.item())
        step.run(number)
    np.testing.assert_allclose(step.read().numpy(), losses, rtol=1e-4)
    torch.testing.assert_close(flat(task.network), flat(other), rtol=1e-4, atol=1e-6)


def test_losses_are_read_once_in_the_order_of_the_steps(waves: SeriesPanel, recipe: Recipe, straight: Maker) -> None:
    _, _, whole = parts(waves, recipe, straight(recipe))
    _, _, split = parts(waves, recipe, straight(recipe))
    assert split.read().shape == (0,)
    found = []
    for number in range(5):
        whole.run(number)
        split.run(number)
        found.append(split.read())
    assert split.read().shape == (0,)
    assert torch.equal(torch.cat(found), whole.read())


def test_what_a_step_draws_depends_on_its_number_and_the_seed_alone(
    waves: SeriesPanel, recipe: Recipe, straight: Maker
) -> None:
    def after(recipe: Recipe, number: int, noise: int) -> torch.Tensor:
        task, _, step = parts(waves, recipe, straight(recipe, 0.5))
        torch.manual_seed(noise)
        with torch.random.fork_rng():
            step.run(number)
        return flat(task.network)

    assert torch.equal(after(recipe, 3, noise=1), after(recipe, 3, noise=2))
    assert not torch.equal(after(recipe, 3, noise=1), after(recipe, 4, noise=1))
    assert not torch.equal(after(recipe, 3, noise=1), after(recipe.model_copy(update={"seed": 9}), 3, noise=1))


def test_a_value_that_is_missing_teaches_nothing(waves: SeriesPanel, recipe: Recipe, straight: Maker) -> None:
    recipe = recipe.model_copy(update={"scaling": "none"})
    target = waves.target.copy()
    target[:, 100] = np.nan
    task, _, _ = parts(SeriesPanel(waves.names, waves.times, target), recipe, straight(recipe))
    series, origins = task.windows.locate(torch.arange(task.windows.count))
    before = torch.nonzero((series == 1) & (origins == 98))[:, 0]
    assert len(before) == 1
    loss, share = task.loss(before)
    forecast = task.network.layer(torch.from_numpy(target[1, 87:99]).float())
    seen = np.array([99, 101, 102])
    expected = (forecast[[0, 2, 3]] - torch.from_numpy(target[1, seen]).float()).square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert share == 1.0
