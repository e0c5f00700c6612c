"""Reversible normalisation: level and spread are taken off a look-back and put on the outputs again.

Without the affine weights of the source: on one global channel a linear map has them already.

Source: Kim et al. (2022), Reversible instance normalization for accurate time-series forecasting against distribution
shift, ICLR.
"""

from typing import Final

import torch
from torch import Tensor

from nt_ray.neural.series.batch import Scale

EPSILON: Final = 1e-5
"""Added to the variance, so that a constant window divides by no zero."""


def normalised(values: Tensor) -> tuple[Tensor, Scale]:
    """Values (B, L) at mean 0 and variance 1, and the scale that was taken off."""
    mean = values.mean(dim=1, keepdim=True)
    centred = values - mean
    # Several times as fast as `var_mean` on a CPU.
    deviation = (centred.square().mean(dim=1, keepdim=True) + EPSILON).sqrt()
    return centred / deviation, Scale(mean, deviation)


def restored(outputs: Tensor, scale: Scale) -> Tensor:
    """Outputs (B, H, K) in the units that `scale` was taken off: location, log unit, then shapes without units."""
    location = outputs[..., :1] * scale.scale[..., None] + scale.location[..., None]
    if outputs.shape[-1] == 1:
        return location
    unit = outputs[..., 1:2] + scale.scale.log()[..., None]
    return torch.cat((location, unit, outputs[..., 2:]), dim=-1)


def raised(outputs: Tensor, level: Tensor) -> Tensor:
    """Outputs (B, H, K) whose location is moved up by `level` (B, 1)."""
    location = outputs[..., :1] + level[..., None]
    return location if outputs.shape[-1] == 1 else torch.cat((location, outputs[..., 1:]), dim=-1)
