"""Devices by name, refused where they are not there, and the threads of the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nt_ray.neural.problems import NeuralError


def find_device(name: str | torch.device) -> torch.device:
    """Device of a name: "cpu", "cuda", "cuda:1", or "auto" for a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as problem:
        raise NeuralError(f"Unknown device {name!r}. Use 'cpu', 'cuda' or 'auto'.") from problem
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise NeuralError(f"Training does not run on {device.type!r}. Use 'cpu', 'cuda' or 'auto'.")
    index = device.index or 0
    if index >= torch.cuda.device_count():
        raise NeuralError(
            f"{device} was asked for, and this machine has {torch.cuda.device_count()} GPUs. "
            "Use device = 'cpu' or 'auto', or run on a node with one."
        )
    return torch.device("cuda", index)


@contextmanager
def on_threads(number: int) -> Iterator[None]:
    """Let torch use so many threads of the CPU while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
