from collections.abc import Callable, Iterator

import pytest
import torch

from nt_ray.neural.models.base import Shape
from nt_ray.neural.series.batch import Batch, Truth

Windows = tuple[Batch, Truth]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def windows() -> Callable[..., Windows]:
    """Random windows for a shape; `missing` is the share of values that are not there."""

    def make(shape: Shape, count: int = 5, seed: int = 0, missing: float = 0.0) -> Windows:
        draw = torch.Generator().manual_seed(seed)

        def normal(*size: int) -> torch.Tensor:
            return torch.randn(*size, generator=draw)

        def seen(*size: int) -> torch.Tensor:
            return (torch.rand(*size, generator=draw) >= missing).float()

        whole = shape.lookback + shape.horizon
        mask, ahead = seen(count, shape.lookback), seen(count, shape.horizon)
        batch = Batch(
            normal(count, shape.lookback) * mask,
            mask,
            normal(count, shape.lookback, shape.past),
            normal(count, whole, shape.future),
            normal(count, shape.static),
        )
        return batch, Truth(normal(count, shape.horizon) * ahead, ahead)

    return make
