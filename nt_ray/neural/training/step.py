"""One step of training: windows by index, forward, loss, backward, clip, AdamW. Nothing in it waits for the device.

A step is a function of the weights, the moments and its number alone: windows, learning rate and every random draw of
the network follow from (seed, step). Losses stay on the device until they are read.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from nt_ray.neural.heads.heads import Head
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.models.dropout import drawn_from
from nt_ray.neural.series.batch import Truth, Windows
from nt_ray.neural.series.sampling import Order, Sampler, mix
from nt_ray.neural.series.valid import ValidWindows
from nt_ray.neural.series.windows import Resident
from nt_ray.neural.training.optimiser import AdamW
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.schedules import rate
from nt_ray.neural.training.team import Team

WINDOWS, DRAWS, WEIGHTS = 1, 2, 3
"""What a stream of random numbers is for; each has a key of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What a step works on."""

    recipe: Recipe
    network: Forecaster
    head: Head
    data: Resident
    windows: ValidWindows
    team: Team

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.data.target.device

    def sampler(self) -> Sampler:
        """Batches of this worker; whole ones where each worker holds windows of its own."""
        order = Order(self.windows.count, mix(self.recipe.seed, WINDOWS))
        rank, size = (0, 1) if self.windows.partial else (self.team.rank, self.team.size)
        return Sampler(order, self.recipe.batch, self.device, rank, size)

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        return rate(self.recipe, step, self.windows.count)

    def loss(self, places: Tensor) -> tuple[Tensor, Tensor | float]:
        """Mean loss of these windows, and their weight among the workers."""
        cut = self._held(places) if self.windows.partial else self.data.windows(*self.windows.locate(places))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            outputs = self.network.fitted(cut.batch, cut.truth)
        loss = self.head.loss(outputs.float(), cut.truth.target, cut.truth.mask)
        return loss, self.team.share(cut.truth.mask)

    def _held(self, places: Tensor) -> Windows:
        """Those of these windows that are held, or one of which nothing counts, since every worker takes each step."""
        own = self.windows.share(places, self.team.rank, self.team.size)
        if len(own):
            return self.data.windows(*self.windows.locate(own))
        some = self.windows.one()
        if some is None:
            first = places.new_zeros(1)
            idle = self.data.windows(first, first + self.data.lookback - 1)
        else:
            idle = self.data.windows(*self.windows.locate(some))
        return idle._replace(truth=Truth(torch.zeros_like(idle.truth.target), torch.zeros_like(idle.truth.mask)))

    def draws(self, step: int) -> AbstractContextManager[None]:
        """Key the random draws of a step (dropout) with its number."""
        key = mix(self.recipe.seed, DRAWS, step, self.team.rank) >> 1
        if self.device.type == "cuda":
            torch.cuda.default_generators[self.device.index or 0].manual_seed(key)
            return nullcontext()
        return drawn_from(torch.Generator().manual_seed(key))


class PlainStep:
    """Steps run operation by operation."""

    def __init__(self, task: Task, optimiser: AdamW) -> None:
        self._task = task
        self._optimiser = optimiser
        self._sampler = task.sampler()
        self._losses: list[Tensor] = []

    def run(self, step: int) -> None:
        """Take a step."""
        with self._task.draws(step):
            loss, share = self._task.loss(self._sampler.places(step))
        self._optimiser.zero()
        (loss * share).backward()  # type: ignore[no-untyped-call]
        self._task.team.average(self._optimiser.gradients())
        self._optimiser.step(self._task.rate(step))
        self._losses.append(loss.detach() * share)

    def read(self) -> Tensor:
        """Losses of the steps since the last reading, float32 on the host, (steps,); waits for the device."""
        if not self._losses:
            return torch.empty(0)
        losses = self._task.team.total(torch.stack(self._losses)) / self._task.team.size
        self._losses = []
        return losses.cpu()
