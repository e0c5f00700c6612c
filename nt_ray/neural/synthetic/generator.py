"""The generator: noise to returns, through a temporal convolution network that sees past noise only.

Each return is drift + volatility * innovation, where drift and volatility at t come from the noise before t. So
returns are causal in the noise, paths may have any length, and a longer path begins with the shorter one. The first
noise channel is the innovation itself, by which a fall can raise the volatility that follows.

Source: Wiese et al. (2020), Quant GANs, section 5 (stochastic volatility neural networks); dilated causal convolutions
with skip connections: van den Oord et al. (2016), WaveNet.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN_SIZE = math.sqrt(2.0 / math.pi)
"""Mean absolute value of a standard Gaussian."""
LOG_VOLATILITY = 2.0
"""Volatility stays within exp(-2) and exp(2) times the typical one."""
DRIFT = 0.5
"""Largest drift, in deviations of a return."""


class Generator(nn.Module):
    """Noise (B, T + receptive, channels) to scaled returns (B, T).

    `layers` dilated convolutions of two taps, with dilations 1, 2, 4, ..., see 2^layers steps of noise.
    """

    def __init__(self, *, width: int, layers: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.receptive = 2**layers
        self.enter = nn.Conv1d(channels + 1, width, 1)
        self.dilated = nn.ModuleList(nn.Conv1d(width, width, 2, dilation=2**i) for i in range(layers))
        self.skips = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(layers))
        self.middle = nn.Conv1d(width, width, 1)
        self.leave = nn.Conv1d(width, 2, 1)

    def forward(self, noise: Tensor) -> Tensor:
        """Scaled returns (B, T)."""
        volatility, drift = self.moments(noise)
        return drift + volatility * noise[:, self.receptive :, 0]

    def moments(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Volatility and drift (B, T) of each step, from the noise before it."""
        length = noise.shape[1] - self.receptive
        # The last noise is the last innovation: nothing may see it.
        seen = noise[:, :-1].transpose(1, 2)
        state = self.enter(torch.cat((seen, seen[:, :1].abs() - MEAN_SIZE), dim=1))
        total = torch.zeros((), dtype=noise.dtype, device=noise.device)
        for layer, skip in zip(self.dilated, self.skips, strict=True):
            changed = functional.leaky_relu(layer(state), 0.1)
            state = state[..., -changed.shape[-1] :] + changed
            total = total + skip(changed[..., -length:])
        out = self.leave(functional.leaky_relu(self.middle(total), 0.1))
        volatility = (LOG_VOLATILITY * torch.tanh(out[:, 0] / LOG_VOLATILITY)).exp()
        return volatility, DRIFT * torch.tanh(out[:, 1] / DRIFT)
