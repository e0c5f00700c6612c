"""What the workers of a training train on: the whole panel for each, or for each the shards that are its own.

Which shards a worker reads follows from its rank and the size of the group, so a group of another size spreads them
anew. The facts that all need of every shard are found once, by tasks that each read one.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

from ray.exceptions import RayTaskError

from nt_ray.errors import NeuralTraderError
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import Portion, ShardFacts, stacked
from nt_ray.neural.series.shards import Shards
from nt_ray.neural.series.survey import survey
from nt_ray.neural.training.recipe import Recipe

SHOWN: Final = 256
"""Series that stand for those of all shards."""


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


def survey_shards(shards: Shards, recipe: Recipe, most: int = SHOWN) -> tuple[tuple[ShardFacts, ...], SeriesPanel]:
    """Find the facts of every shard that has series, on the connected Ray, and series that show what all look like.

    These are as many of each shard, `most` together, or one of each where there are more shards than that.
    """
    numbers = shards.filled()
    if not numbers:
        raise NeuralError(f"The shards in {shards.folder} hold no series. Lay out data that have some.")
    each = max(1, most // len(numbers))
    try:
        found = ray.get([_survey.remote(shards, number, recipe, each) for number in numbers])
    except RayTaskError as error:
        if isinstance(error.cause, NeuralTraderError):
            raise error.cause from None
        raise
    return tuple(facts for facts, _ in found), stacked([shown for _, shown in found])


@ray.remote(num_cpus=1)
def _survey(shards: Shards, number: int, recipe: Recipe, count: int) -> tuple[ShardFacts, SeriesPanel]:
    panel = shards.panel(number)
    # Which series are of which shard is drawn by their names, so the first are as good as any.
    return survey(panel, recipe), panel.select(panel.names[:count])
