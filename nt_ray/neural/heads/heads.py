"""Heads: what the K outputs of a network mean, how they are judged in training and read as a forecast.

Outputs have the shape (B, H, K), truth and mask (B, H). A loss is the mean over what was observed; what is missing has
no influence on it or its gradient, whatever stands there (NaN is not allowed: windows hold zeros).

All heads lay their outputs out alike: output 0 is a location in the units of the batch, output 1 the logarithm of a
unit of spread, the others are shapes without units. So a network may take a location and scale off its inputs and put
them on its outputs again, whatever head reads them (`nt_ray.neural.models.reversible`).
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final, Protocol

from torch import Tensor

from nt_ray.neural.heads.point import LOSSES, PointHead
from nt_ray.neural.heads.quantile import QuantileHead
from nt_ray.neural.heads.student_t import StudentHead
from nt_ray.neural.problems import NeuralError

NAMES: Final = (*LOSSES, "quantile", "student_t")


class Head(Protocol):
    """One reading of a network's outputs."""

    name: str
    width: int
    """K."""

    def loss(self, outputs: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Scalar that training makes small."""
        ...

    def mean(self, outputs: Tensor) -> Tensor:
        """Point forecast (B, H)."""
        ...

    def quantiles(self, outputs: Tensor, levels: Tensor) -> Tensor:
        """Quantiles (B, H, Q) at levels (Q,) in (0, 1), never crossing; raises where the head has none."""
        ...

    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        """Values (B, H) of the distribution for uniforms (B, H, 2) in (0, 1); raises where the head has none."""
        ...


def find_head(name: str, levels: Sequence[float] = ()) -> Head:
    """Return the head of this name; `levels` are those a quantile head is trained on, and no other head's business."""
    if name in LOSSES:
        return PointHead(name)
    if name == "quantile":
        return QuantileHead(levels)
    if name == "student_t":
        return StudentHead()
    near = get_close_matches(name, NAMES, n=1, cutoff=0.0)
    raise NeuralError(f"Unknown head {name!r}; did you mean {near[0]!r}? There are: {', '.join(NAMES)}.")
