"""A trained network as a bundle with everything that later steps ask it for.

The registry's gate asks until when it was trained, the drift monitor what its series looked like, and inference for
windows on which a cheaper precision has to prove itself.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nt_ray.neural.drift.drift_reference import FEWEST, reference_of
from nt_ray.neural.inference.bundle import Description, save_bundle
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.splits import split_of
from nt_ray.neural.serving import reference as proof
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained


def keep(trained: Trained, panel: SeriesPanel, folder: Path, facts: Mapping[str, Any]) -> Description:
    """Write the bundle of a network that was trained on a panel; `facts` go into its lineage."""
    config = {**facts, "trained_until": f"{panel.times[-1].astype('datetime64[s]')}+00:00"}
    description = save_bundle(trained, folder, config=config, reference=_seen(panel, trained.recipe))
    # Without one complete window nothing can be proved, and inference stays with the precision of training.
    with suppress(NeuralError):
        proof.save_reference(proof.reference_of(panel, trained), folder, trained.scaler.names)
    return description


def _seen(panel: SeriesPanel, recipe: Recipe) -> dict[str, Any]:
    """What each series looked like over the training rows."""
    rows = split_of(panel, recipe).train
    known = dict(zip(panel.names, panel.target[:, :rows], strict=True))
    kept = {name: values for name, values in known.items() if np.isfinite(values).sum() >= FEWEST}
    return reference_of(kept).model_dump(mode="json")
