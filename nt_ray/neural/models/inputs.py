"""The look-back of a batch as networks read it."""

import torch
from torch import Tensor

from nt_ray.neural.models.base import Shape
from nt_ray.neural.series.batch import Batch, is_complete


def history_width(shape: Shape) -> int:
    """Columns of `history`."""
    return 2 + shape.past + shape.future + shape.static


def history(batch: Batch, target: Tensor | None = None) -> Tensor:
    """Everything known about each bar of the look-back, (B, L, C): target, mask, past, future and static inputs.

    `target` (B, L) takes the place of the batch's own.
    """
    length = batch.target.shape[1]
    values = batch.target * batch.mask if target is None else target
    columns = [values[..., None], batch.mask[..., None]]
    if batch.past.shape[-1]:
        columns.append(batch.past)
    if batch.future.shape[-1]:
        columns.append(batch.future[:, :length])
    if batch.static.shape[-1]:
        columns.append(batch.static[:, None].expand(-1, length, -1))
    return torch.cat(columns, dim=-1)


def filled(target: Tensor, mask: Tensor) -> Tensor:
    """Look-back (B, L) without gaps: a missing value is the last one observed before it, or else the first observed.

    Zero throughout where nothing was observed.
    """
    if is_complete(mask):
        return target
    order = torch.arange(target.shape[1], device=target.device, dtype=mask.dtype)
    seen = _running_maximum(mask * order).long()
    first = mask.argmax(dim=1, keepdim=True)
    return (target * mask).gather(1, torch.maximum(seen, first))


def _running_maximum(values: Tensor) -> Tensor:
    """Maximum of each bar and all before it, (B, L), in log2(L) doublings: ONNX knows no `cummax`."""
    step = 1
    while step < values.shape[1]:
        values = torch.cat((values[:, :step], torch.maximum(values[:, step:], values[:, :-step])), dim=1)
        step *= 2
    return values


def surroundings(batch: Batch) -> list[Tensor]:
    """Every input but the target in rows (B, ·), for networks that read a window as one vector."""
    parts = (batch.past.flatten(1), batch.future.flatten(1), batch.static)
    return [part for part in parts if part.shape[1]]


def surroundings_width(shape: Shape) -> int:
    """Columns of `surroundings` together."""
    return shape.past * shape.lookback + shape.future * (shape.lookback + shape.horizon) + shape.static
