"""Workers that train one network together: each has its rows of the batch, and all take the same step.

Gradients are those of the mean over what was observed in the whole batch, so the number of workers changes a step by
rounding alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, distributed

LONGEST: Final = 1000
"""Bytes of a sentence that workers tell each other."""


@dataclass(frozen=True, slots=True)
class Team:
    """Worker `rank` of `size`."""

    rank: int = 0
    size: int = 1

    def total(self, tensor: Tensor) -> Tensor:
        """Sum of a tensor over the workers."""
        if self.size > 1:
            tensor = tensor.clone()
            distributed.all_reduce(tensor)
        return tensor

    def refusal(self, own: str, device: torch.device) -> str:
        """Sentence of the first worker that refuses, the same for all; empty where none does.

        Each has to ask before any waits for another: who leaves by itself is waited for until time runs out.
        """
        if self.size == 1:
            return own
        said = torch.zeros((self.size, LONGEST), dtype=torch.int32)
        text = own.encode()[:LONGEST]
        said[self.rank, : len(text)] = torch.tensor(list(text), dtype=torch.int32)
        sentences = (bytes(filter(None, row)) for row in self.total(said.to(device)).tolist())
        return next((sentence.decode(errors="ignore") for sentence in sentences if sentence), "")

    def share(self, mask: Tensor) -> Tensor | float:
        """Weight of this worker's mean: what it observed, over the mean of what each did."""
        if self.size == 1:
            return 1.0
        own = mask.sum()
        return own * self.size / self.total(own).clamp(min=1.0)

    def average(self, gradients: Sequence[Tensor]) -> None:
        """Replace gradients by their mean over the workers, all in one message."""
        if self.size == 1:
            return
        flat = torch.cat([g.reshape(-1) for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [g.numel() for g in gradients])
        torch._foreach_copy_(list(gradients), [p.view_as(g) for p, g in zip(parts, gradients, strict=True)])


ALONE = Team()


def joined() -> Team:
    """Team of this process: that of `torch.distributed` where it is initialised."""
    if distributed.is_available() and distributed.is_initialized():
        return Team(distributed.get_rank(), distributed.get_world_size())
    return ALONE
