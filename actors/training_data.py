"""What the workers of a training train on: the whole panel for each, or for each the shards that are its own.

Which shards a worker reads follows from its rank and the size of the group, so a group of another size spreads them
anew. The facts that all need of every shard are found once, by tasks that each read one.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from ray.exceptions import RayTaskError

from nt_ray.errors import NeuralTraderError
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import Portion, ShardFacts
from nt_ray.neural.series.shards import Shards
from nt_ray.neural.series.survey import survey
from nt_ray.neural.training.recipe import Recipe


class TrainingData(Protocol):
    """Where a worker finds its panel."""

    def read(self, rank: int, size: int) -> tuple[SeriesPanel, Portion | None]:
        """Panel of worker `rank` of `size`, and which part of the whole it is; None where it is the whole."""
        ...


@dataclass(frozen=True, slots=True)
class WholePanel:
    """A panel in the object store; its arrays are read where they lie."""

    panel: Any

    def read(self, rank: int, size: int) -> tuple[SeriesPanel, Portion | None]:
        """Panel for any worker."""
        del rank, size
        found: SeriesPanel = ray.get(self.panel)
        return found, None


@dataclass(frozen=True, slots=True)
class PanelShards:
    """Shards in a folder that all nodes reach, and a reference to the facts of those that have series."""

    shards: Shards
    facts: Any

    def read(self, rank: int, size: int) -> tuple[SeriesPanel, Portion | None]:
        """Panel of every `size`-th shard."""
        return read_portion(self.shards, ray.get(self.facts), tuple(range(rank, len(self.shards.filled()), size)))


def read_portion(shards: Shards, facts: tuple[ShardFacts, ...], held: tuple[int, ...]) -> tuple[SeriesPanel, Portion]:
    """Read some of the shards that have series, by their places among these."""
    portion = Portion(facts, held)
    numbers = shards.filled()
    return portion.join([shards.panel(numbers[place]) for place in held]), portion


def survey_shards(shards: Shards, recipe: Recipe) -> tuple[ShardFacts, ...]:
    """Find the facts of every shard that has series, on the connected Ray."""
    if not shards.filled():
        raise NeuralError(f"The shards in {shards.folder} hold no series. Lay out data that have some.")
    try:
        return tuple(ray.get([_survey.remote(shards, number, recipe) for number in shards.filled()]))
    except RayTaskError as error:
        if isinstance(error.cause, NeuralTraderError):
            raise error.cause from None
        raise


@ray.remote(num_cpus=1)
def _survey(shards: Shards, number: int, recipe: Recipe) -> ShardFacts:
    return survey(shards.panel(number), recipe)
