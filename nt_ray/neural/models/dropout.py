"""Dropout with one draw for four elements on a CPU.

torch draws a number for every element, which is much of what a training step of the transformer costs. Here one draw
of 64 bits decides on four, so a share is a multiple of 2^-16; what stays is divided by
the share that stays in truth, so the mean is exact. A training draws from a generator of its own (`drawn_from`), so
trainings in several threads do not disturb each other. On other devices it is torch's own.

Source: Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, JMLR 15.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS: Final = 1 << 16

_GENERATOR: Final[ContextVar[torch.Generator | None]] = ContextVar("dropout", default=None)


@contextmanager
def drawn_from(generator: torch.Generator) -> Iterator[None]:
    """Draw from a generator for the length of a block, in this thread alone; on a CPU."""
    token = _GENERATOR.set(generator)
    try:
        yield
    finally:
        _GENERATOR.reset(token)


class Dropout(nn.Module):
    """Set a share of the elements to zero while training and scale up the rest."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self._left_out = min(round(share * LEVELS), LEVELS - 1)

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape, to the same shape."""
        if not self.training or not self.share:
            return values
        if values.device.type != "cpu":
            return functional.dropout(values, self.share)
        count = values.numel()
        # Without an upper bound all 64 bits are drawn.
        draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(1 << 63), None, generator=_GENERATOR.get())
        drawn = draws.view(torch.int16)[:count].view(values.shape)
        stays = drawn.ge(self._left_out - LEVELS // 2).to(values.dtype)
        return values * stays.mul_(LEVELS / (LEVELS - self._left_out))

    def extra_repr(self) -> str:
        """Tell the share."""
        return f"share={self.share}"
