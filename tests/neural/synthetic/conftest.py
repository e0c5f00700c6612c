from collections.abc import Iterator

import numpy as np
import pytest
import torch

from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.types import FloatArray


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def returns() -> FloatArray:
    rng, size = np.random.default_rng(10), 0.01
    found = np.empty(200)
    for row in range(len(found)):
        found[row] = size * rng.standard_normal()
        size = np.sqrt(1e-5 + 0.1 * found[row] ** 2 + 0.8 * size**2)
    return found


@pytest.fixture(scope="session")
def small() -> GanSettings:
    return GanSettings(
        width=4,
        layers=3,
        channels=2,
        critic_width=3,
        critic_layers=3,
        window=32,
        windows=6,
        paths=4,
        lags=20,
        steps=12,
        gradient_every=2,
    )
