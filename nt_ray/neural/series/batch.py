"""What a forecaster sees: windows cut from series, already scaled, with their missing values masked.

B windows, L bars of look-back, H bars of horizon. Nothing in a `Batch` comes from after the look-back, but for inputs
that are known in advance (`future`). The truth travels apart, so that a forward pass cannot see it.
"""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Inputs of B windows; all float, zeros where missing.

    target (B, L)      the series itself.
    mask   (B, L)      1 where the target was observed, else 0.
    past   (B, L, P)   inputs known up to the last bar of the look-back.
    future (B, L+H, F) inputs known in advance (calendar, announced events), look-back and horizon.
    static (B, Z)      what does not change over time.
    """

    target: Tensor
    mask: Tensor
    past: Tensor
    future: Tensor
    static: Tensor


def is_complete(mask: Tensor) -> bool:
    """Say whether a mask (B, L) is a single 1 spread out, as it is where the panel misses nothing; costs nothing.

    False says little: something is missing, in these windows or elsewhere.
    """
    return mask.stride(1) == 0


class Truth(NamedTuple):
    """What came: target and mask over the horizon, (B, H), in the scale of the batch."""

    target: Tensor
    mask: Tensor


class Scale(NamedTuple):
    """Scale of each window, (B, 1): value = scaled * scale + location."""

    location: Tensor
    scale: Tensor


class Windows(NamedTuple):
    """Windows as a training step and a score need them."""

    batch: Batch
    truth: Truth
    scale: Scale
