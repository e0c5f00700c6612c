"""Constant tensors of an object that is no module, copied once to each device.

A copy from the host in every step would stop the device, and cannot be captured in a CUDA graph.
"""

import torch
from torch import Tensor


class Constants:
    """float32 tensors by device."""

    def __init__(self, *values: Tensor) -> None:
        self._held = {torch.device("cpu"): tuple(value.float() for value in values)}

    def on(self, device: torch.device) -> tuple[Tensor, ...]:
        """Return the tensors on a device."""
        if device not in self._held:
            self._held[device] = tuple(value.to(device) for value in self._held[torch.device("cpu")])
        return self._held[device]
