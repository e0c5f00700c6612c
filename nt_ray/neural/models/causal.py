"""Dilated causal convolution with normalised weights, computed for the last steps only that are asked for."""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional


class CausalConv(nn.Module):
    """Convolution over steps that sees the present and the past; zeros stand before the first step.

    Weights are directions (O, I, kernel) times a gain for each output.

    Source: Bai et al. (2018), section 3; Salimans and Kingma (2016), Weight normalization, NeurIPS.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int) -> None:
        super().__init__()
        bound = 1.0 / sqrt(inputs * kernel)
        self.direction = nn.Parameter(torch.empty(outputs, inputs, kernel).normal_(0.0, 0.01))
        self.gain = nn.Parameter(torch.linalg.vector_norm(self.direction.detach(), dim=(1, 2), keepdim=True))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.dilation = dilation
        self.reach = (kernel - 1) * dilation
        """Steps before the present one that are seen."""

    def forward(self, values: Tensor, steps: int) -> Tensor:
        """The last `steps` outputs (B, O, steps) of values (B, I, T)."""
        seen = values[..., -(steps + self.reach) :]
        missing = steps + self.reach - seen.shape[-1]
        if missing:
            seen = functional.pad(seen, (missing, 0))
        length = torch.linalg.vector_norm(self.direction, dim=(1, 2), keepdim=True)
        weight = self.direction * (self.gain / length)
        return functional.conv1d(seen, weight, self.bias, dilation=self.dilation)
