"""Training where each worker holds its own series, with workers that are threads of one process."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import Portion
from nt_ray.neural.series.survey import survey
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.team import Team
from nt_ray.neural.training.training import Training, train


@dataclass(eq=False)
class Table:
    """Where threads put what is summed."""

    size: int
    slots: list[Tensor | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.slots = [None] * self.size
        self.barrier = threading.Barrier(self.size, timeout=30)

    def total(self, rank: int, tensor: Tensor) -> Tensor:
        self.slots[rank] = tensor.clone()
        self.barrier.wait()
        found = torch.stack([slot for slot in self.slots if slot is not None]).sum(dim=0)
        self.barrier.wait()
        return found


class Threads(Team):
    """A team whose members are threads at a table."""

    table: Table

    def total(self, tensor: Tensor) -> Tensor:
        return self.table.total(self.rank, tensor)

    def average(self, gradients: object) -> None:
        for gradient in gradients:  # type: ignore[attr-defined]
            gradient.copy_(self.total(gradient) / self.size)


def team(table: Table, rank: int) -> Team:
    made = Threads(rank, table.size)
    object.__setattr__(made, "table", table)
    return made


def together(
    shards: list[SeriesPanel], recipe: Recipe, workers: int, until: int | None = None, resume: Path | None = None
) -> list[Training]:
    facts = tuple(survey(shard, recipe) for shard in shards)
    table = Table(workers)

    def made(rank: int) -> Training:
        held = tuple(range(rank, len(shards), workers))
        portion = Portion(facts, held)
        run = Training(portion.join([shards[k] for k in held]), recipe, team=team(table, rank), portion=portion)
        if resume is not None:
            run.load(resume)
        return run

    def work(run: Training) -> Training:
        while run.step < (until or recipe.steps):
            run.advance()
        run.read()
        return run

    # First weights are drawn from torch's one generator, which threads share and processes do not: one after another.
    runs = [made(rank) for rank in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, runs))


@pytest.fixture
def shards(gappy: SeriesPanel) -> list[SeriesPanel]:
    bare = SeriesPanel(gappy.names, gappy.times, gappy.target)
    return [bare.select((name,)) for name in bare.names]


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_that_hold_their_own_series_train_what_one_would_that_holds_all(
    shards: list[SeriesPanel], recipe: Recipe, workers: int
) -> None:
    # So few windows a step that workers at times have none of them.
    recipe = recipe.model_copy(update={"batch": 3, "steps": 40, "scaling": "fold"})
    whole = SeriesPanel(tuple(s.names[0] for s in shards), shards[0].times, np.concatenate([s.target for s in shards]))
    alone = train(whole, recipe)
    runs = together(shards, recipe, workers)
    np.testing.assert_allclose(runs[0].losses(), alone.losses, rtol=2e-3)
    np.testing.assert_allclose([v for _, v in runs[0].validations], [v for _, v in alone.validations], rtol=1e-3)
    for run in runs[1:]:
        for name, tensor in run.task.network.state_dict().items():
            assert torch.equal(tensor, runs[0].task.network.state_dict()[name])
    for name, tensor in runs[0].result().network.state_dict().items():
        torch.testing.assert_close(tensor, alone.network.state_dict()[name], rtol=1e-3, atol=1e-4)


def test_a_run_on_shards_goes_on_from_its_checkpoint_to_the_bit_and_with_other_workers_but_for_rounding(
    shards: list[SeriesPanel], recipe: Recipe, tmp_path: Path
) -> None:
    straight = together(shards, recipe, 2)[0]
    paused = together(shards, recipe, 2, until=25)
    paused[0].save(tmp_path / "state")
    resumed = together(shards, recipe, 2, resume=tmp_path / "state")[0]
    assert resumed.losses().tobytes() == straight.losses().tobytes()
    for name, tensor in resumed.task.network.state_dict().items():
        assert torch.equal(tensor, straight.task.network.state_dict()[name])
    spread = together(shards, recipe, 3, resume=tmp_path / "state")[0]
    np.testing.assert_allclose(spread.losses(), straight.losses(), rtol=1e-3)
    alone = together(shards, recipe, 1, resume=tmp_path / "state")[0]
    np.testing.assert_allclose(alone.losses(), straight.losses(), rtol=1e-3)


def test_a_checkpoint_of_other_shards_is_refused(shards: list[SeriesPanel], recipe: Recipe, tmp_path: Path) -> None:
    run = together(shards, recipe, 1, until=1)[0]
    run.save(tmp_path / "state")
    with pytest.raises(NeuralError, match="other data"):
        together(shards[:2], recipe, 1, until=2, resume=tmp_path / "state")
