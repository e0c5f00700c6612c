"""Ensembles: several networks asked as one, by the mean or the median of their forecasts at each level.

An ensemble is a network whose outputs are those of its members side by side, and a head that reads each member's with
the member's own head. So whatever works with a network and a head works with an ensemble, members may have different
heads, and each is trained by its own loss. They share the clipping of the gradient and the step whose weights are kept,
which is that of the lowest sum of their validation losses. Averages of quantiles at a level never cross.

Source: Lichtendahl, Grushka-Cockayne and Winkler (2013), Is it better to average probabilities or quantiles?,
Management Science 59.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast

import torch
from torch import Tensor, nn

from nt_ray.neural.heads.heads import Head
from nt_ray.neural.models.base import Forecaster, Shape
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth

Rule = Literal["mean", "median"]


class Ensemble(Forecaster):
    """Networks side by side: outputs (B, H, sum of K).

    Members agree on the horizon. One with a shorter look-back sees the last bars of it; one without inputs of a kind
    gets none of them.
    """

    def __init__(self, members: Sequence[Forecaster]) -> None:
        super().__init__(_together([member.shape for member in members]))
        self.members = nn.ModuleList(members)

    def forward(self, batch: Batch) -> Tensor:
        """Outputs of all members, one after another."""
        return torch.cat([member(self._part(batch, member.shape)) for member in self._networks()], dim=-1)

    def fitted(self, batch: Batch, truth: Truth) -> Tensor:
        """Outputs of all members that a training step compares with the truth."""
        return torch.cat([member.fitted(self._part(batch, member.shape), truth) for member in self._networks()], dim=-1)

    def quantiles(self, batch: Batch, outputs: Tensor, levels: Tensor, head: Head, seed: int) -> Tensor:
        """Quantiles (B, H, Q): those of the members, each read as its network does, combined by the head's rule."""
        if not isinstance(head, EnsembleHead):
            return head.quantiles(outputs, levels)
        return head.combined(
            [
                member.quantiles(self._part(batch, member.shape), own, levels, one, seed)
                for member, (one, own) in zip(self._networks(), head.split(outputs), strict=True)
            ]
        )

    def _networks(self) -> list[Forecaster]:
        return cast("list[Forecaster]", list(self.members))

    def _part(self, batch: Batch, shape: Shape) -> Batch:
        """What a member of this shape sees."""
        bars = slice(self.shape.lookback - shape.lookback, None)
        return Batch(
            batch.target[:, bars],
            batch.mask[:, bars],
            batch.past[:, bars, : shape.past],
            batch.future[:, bars, : shape.future],
            batch.static[:, : shape.static],
        )


class EnsembleHead:
    """Reads the outputs of an ensemble."""

    name = "ensemble"

    def __init__(self, heads: Sequence[Head], rule: Rule = "mean") -> None:
        if not heads:
            raise NeuralError("An ensemble of no heads forecasts nothing. Give one for each member.")
        self.heads = tuple(heads)
        self.rule = rule
        self.width = sum(head.width for head in heads)

    def loss(self, outputs: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Sum of the members' losses: each member has the gradient that it has alone."""
        return torch.stack([head.loss(own, truth, mask) for head, own in self.split(outputs)]).sum()

    def mean(self, outputs: Tensor) -> Tensor:
        """Point forecast (B, H)."""
        return self.combined([head.mean(own) for head, own in self.split(outputs)])

    def quantiles(self, outputs: Tensor, levels: Tensor) -> Tensor:
        """Quantiles (B, H, Q) at levels (Q,) in (0, 1)."""
        return self.combined([head.quantiles(own, levels) for head, own in self.split(outputs)])

    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        """Refuse: a draw for each member is none of the ensemble."""
        del outputs, uniforms
        raise NeuralError("An ensemble has no distribution to draw from. Draw from its members.")

    def split(self, outputs: Tensor) -> list[tuple[Head, Tensor]]:
        """Heads with the outputs of their members."""
        if outputs.shape[-1] != self.width:
            raise NeuralError(
                f"The heads of the ensemble read {self.width} outputs, the networks have {outputs.shape[-1]}. "
                "Give the heads that the members were trained with, in their order."
            )
        parts = torch.split(outputs, [head.width for head in self.heads], dim=-1)
        return list(zip(self.heads, parts, strict=True))

    def combined(self, forecasts: list[Tensor]) -> Tensor:
        """Mean or median of what the members forecast."""
        stacked = torch.stack(forecasts)
        if self.rule == "mean":
            return stacked.mean(dim=0)
        # torch's own median takes the lower of two in the middle.
        ordered, count = stacked.sort(dim=0).values, len(forecasts)
        return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2.0


def _together(shapes: Sequence[Shape]) -> Shape:
    """Shape of an ensemble of members of these shapes."""
    if not shapes:
        raise NeuralError("An ensemble of no networks forecasts nothing. Give at least one.")
    if len({shape.horizon for shape in shapes}) > 1:
        raise NeuralError(f"Members forecast {[shape.horizon for shape in shapes]} steps. Give members of one horizon.")
    widths = {}
    for kind in ("past", "future", "static"):
        given = {getattr(shape, kind) for shape in shapes} - {0}
        if len(given) > 1:
            raise NeuralError(f"Members take {sorted(given)} {kind} inputs. Give members with the same, or none.")
        widths[kind] = given.pop() if given else 0
    lookback = max(shape.lookback for shape in shapes)
    return replace(shapes[0], lookback=lookback, outputs=sum(shape.outputs for shape in shapes), **widths)
