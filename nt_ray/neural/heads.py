"""Heads: what the K outputs of a network mean, how they are judged in training and read as a forecast.

Outputs have the shape (B, H, K), truth and mask (B, H). A loss is the mean over what was observed; what is missing has
no influence on it or its gradient, whatever stands there (NaN is not allowed: windows hold zeros).
"""

from typing import Protocol

from torch import Tensor


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
