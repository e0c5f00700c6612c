"""Ways to run a network forward: in torch with 32 or 16 bits. All give outputs (B, H, K) of 32 bits."""

from contextlib import nullcontext
from typing import Protocol

import torch
from torch import Tensor

from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.series.batch import Batch


class Runner(Protocol):
    """One way to run a network."""

    nbytes: int
    """Bytes it holds beside the weights of the network in torch."""
    masks: bool
    """Whether it heeds the mask of a batch."""

    def __call__(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K) on the host."""
        ...


class TorchRunner:
    """A network in torch, its products of 16 bits (bf16) where wanted; for any number of threads."""

    nbytes = 0
    masks = True

    def __init__(self, network: Forecaster, *, bf16: bool = False) -> None:
        self._network = network.eval()
        self._bf16 = bf16
        self._device = next((p.device for p in network.parameters()), torch.device("cpu"))

    def __call__(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K) on the host."""
        if self._device.type != "cpu":
            batch = Batch(*(tensor.to(self._device) for tensor in batch))
        # A context that is not entered costs nothing, which counts for networks of a few operations.
        narrow = torch.autocast(self._device.type, torch.bfloat16) if self._bf16 else nullcontext()
        with torch.inference_mode(), narrow:
            outputs: Tensor = self._network(batch)
        return outputs.float().cpu()


def size_of(network: Forecaster) -> int:
    """Bytes of the weights of a network."""
    return sum(t.numel() * t.element_size() for t in (*network.parameters(), *network.buffers()))
