"""What has to be known of a shard before others can train beside it, from its panel and the recipe alone."""

import numpy as np
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import ShardFacts
from nt_ray.neural.series.scaling import fit_scaler, moments
from nt_ray.neural.series.signature import gaps_of
from nt_ray.neural.series.splits import check_trainable, split_of, to_train, to_validate
from nt_ray.neural.training.recipe import Recipe


def survey(panel: SeriesPanel, recipe: Recipe) -> ShardFacts:
    """Count the windows of a shard and fit its scales; refuses series that cannot be trained on."""
    if panel.static_names:
        raise NeuralError("Shards with static inputs cannot be trained on. Leave these inputs out.")
    split = split_of(panel, recipe)
    check_trainable(panel, recipe, split)
    host = torch.device("cpu")
    held_out = to_validate(panel, recipe, split, host)
    seen = split.train if recipe.inputs == "fold" else 0
    scaler = fit_scaler(panel, split.train, recipe.scaling == "fold", inputs=False)
    return ShardFacts(
        names=panel.names,
        digest=panel.digest(),
        training=to_train(panel, recipe, split, host).count,
        validation=0 if held_out is None else held_out.count,
        gaps=gaps_of(panel),
        location=np.array(scaler.location),
        scale=np.array(scaler.scale),
        past=moments(panel.past[:, :seen]),
        future=moments(panel.future[:, :seen]),
    )
