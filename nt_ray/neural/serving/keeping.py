"""A trained network as a bundle with everything that later steps ask it for.

The registry's gate asks until when it was trained, the drift monitor what its series looked like and how large its
errors were out of sample, conformal quantiles for its validation windows, and inference for windows on which a cheaper
precision has to prove itself.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nt_ray.neural.drift.drift_reference import FEWEST, reference_of
from nt_ray.neural.drift.observed import columns_of, validation_errors
from nt_ray.neural.inference.bundle import Description, save_bundle
from nt_ray.neural.inference.calibrating import calibrated
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.splits import split_of
from nt_ray.neural.serving import reference as proof
from nt_ray.neural.training.trained import Trained


def keep(trained: Trained, panel: SeriesPanel, folder: Path, facts: Mapping[str, Any]) -> Description:
    """Write the bundle of a network that was trained on a panel; `facts` go into its lineage."""
    config = {**facts, "trained_until": f"{panel.times[-1].astype('datetime64[s]')}+00:00"}
    whole = calibrated(trained, panel)
    description = save_bundle(whole, folder, config=config, reference=_seen(panel, trained))
    # Without one complete window nothing can be proved, and inference stays with the precision of training.
    with suppress(NeuralError):
        proof.save_reference(proof.reference_of(panel, trained), folder, trained.scaler.names)
    return description


def _seen(panel: SeriesPanel, trained: Trained) -> dict[str, Any]:
    """What each column looked like over the training rows, and the errors on the validation rows."""
    known = columns_of(panel, 0, split_of(panel, trained.recipe).train)
    kept = {name: values for name, values in known.items() if np.isfinite(values).sum() >= FEWEST}
    return reference_of(kept, validation_errors(trained, panel)).model_dump(mode="json")
