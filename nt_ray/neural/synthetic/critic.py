"""The critic: how much a window of returns looks like history.

Temporal convolutions of stride two over returns and their sizes, then the mean over what is left of time. It has no
normalisation layers, so that each window is judged by itself, which the gradient penalties of `losses` ask for.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

TAPS = 5


class Critic(nn.Module):
    """Windows (B, W) of scaled returns to scores (B,); `layers` halvings of time, W >= 2^layers."""

    def __init__(self, *, width: int, layers: int) -> None:
        super().__init__()
        sizes = [2, *(width * min(i + 1, 3) for i in range(layers))]
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, TAPS, stride=2, padding=TAPS // 2) for before, after in pairwise(sizes)
        )
        self.middle = nn.Linear(sizes[-1], sizes[-1])
        self.leave = nn.Linear(sizes[-1], 1)

    def forward(self, windows: Tensor) -> Tensor:
        """Scores (B,), higher for what looks real."""
        state = torch.stack((windows, windows.abs()), dim=1)
        for layer in self.layers:
            state = functional.leaky_relu(layer(state), 0.2)
        scores: Tensor = self.leave(functional.leaky_relu(self.middle(state.mean(dim=2)), 0.2))
        return scores[:, 0]
