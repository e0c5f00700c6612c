"""First weights of a network, drawn from a key alone.

Layers of torch draw theirs from the generator of the process. It is keyed for one network at a time, whatever other
threads build, and is afterwards as it was.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

_ONE_AT_A_TIME: Final = threading.Lock()


@contextmanager
def first_weights(key: int) -> Iterator[None]:
    """Key torch's generator of the CPU for the length of a block."""
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key)
        yield
