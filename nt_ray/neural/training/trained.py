"""What training gives: a network and everything that is needed to use it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nt_ray.neural.heads.heads import Head
from nt_ray.neural.inference.calibration import Calibration
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.series.scaling import FoldScaler
from nt_ray.neural.series.signature import Signature
from nt_ray.neural.training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained network and what is needed to use it.

    `network` has the best weights of the validations, or the last where there were none. `losses` (steps,) float32 are
    those of training; `validations` pairs of steps taken and loss; `best` is the step of the weights; `data` the digest
    of the panel. `calibration` makes conformal quantiles, None where there were too few validation windows.
    """

    network: Forecaster
    head: Head
    recipe: Recipe
    signature: Signature
    scaler: FoldScaler
    losses: npt.NDArray[np.float32]
    validations: tuple[tuple[int, float], ...]
    step: int
    best: int
    data: str
    calibration: Calibration | None = None
