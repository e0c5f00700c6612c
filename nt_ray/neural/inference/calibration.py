"""Quantiles by conformal prediction: what a network said on its validation windows, and what came.

At a level q the base of a forecast is the head's own quantile, or the point where the head knows none. It is moved by a
score of the validation windows (truth less base, in the scale of the window): the k-th smallest of n, k = ceil((n + 1)
q) from the middle upwards, and mirrored below it. Where those windows and new ones are exchangeable, a truth lies at or
below a quantile above the middle with probability q at least, and at or above one below it with 1 - q at least. Each
step ahead has scores of its own, all series share them. In time, where nothing is exchangeable, the intervals of
`ahead` learn from recent errors.

Sources: Romano, Patterson and Candès (2019), Conformalized quantile regression, theorem 2 (each side by itself); Lei et
al. (2018), Distribution-free predictive inference for regression, JASA 113.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nt_ray.neural.heads.heads import Head
from nt_ray.neural.heads.point import LOSSES
from nt_ray.neural.scoring.conformal import conformal_rank
from nt_ray.neural.serving.problems import WrongLevelsError

KEPT: Final = 64
"""Sets of levels whose shifts are kept."""


def base_quantiles(head: Head, outputs: Tensor, levels: tuple[float, ...]) -> Tensor:
    """What is corrected, (B, H, Q): the head's quantiles, or its point at every level."""
    if knows_quantiles(head):
        return head.quantiles(outputs, torch.tensor(levels, dtype=torch.float32, device=outputs.device))
    return head.mean(outputs)[..., None].expand(*outputs.shape[:-1], len(levels))


def knows_quantiles(head: Head) -> bool:
    """Whether a head, and each member's of an ensemble, forecasts a distribution."""
    return all(one.name not in LOSSES for one in getattr(head, "heads", (head,)))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Outputs (N, H, K) of the network on N validation windows, and truths (N, H) in their scale, NaN where missing."""

    outputs: Tensor
    truth: Tensor
    _kept: dict[tuple[float, ...], Tensor] = field(default_factory=dict, repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes it takes up."""
        return sum(t.numel() * t.element_size() for t in (self.outputs, self.truth))

    @property
    def count(self) -> int:
        """Truths of the step that has the fewest."""
        return int((~self.truth.isnan()).sum(dim=0).min()) if len(self.truth) else 0

    def allows(self, level: float) -> bool:
        """Whether there are windows enough for a level."""
        return conformal_rank(self.count, max(level, 1.0 - level)) <= self.count

    def shifts(self, head: Head, levels: tuple[float, ...]) -> Tensor:
        """What is added to the base, (H, Q), in the scale of a window; refuses levels for which windows are too few."""
        known = self._kept.get(levels)
        if known is None:
            known = self._found(head, levels)
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[levels] = known
        return known

    def _found(self, head: Head, levels: tuple[float, ...]) -> Tensor:
        for level in levels:
            if not self.allows(level):
                end = 1.0 / (self.count + 1)
                raise WrongLevelsError(
                    f"The level {level:g} needs more than the {self.count} windows that calibrate the model. Ask for "
                    f"levels from {end:.4g} to {1.0 - end:.4g}, or train it with more validation rows."
                )
        with torch.inference_mode():
            scores = self.truth[..., None] - base_quantiles(head, self.outputs, levels)
        ordered = scores.double().sort(dim=0).values.numpy()
        seen = (~self.truth.isnan()).sum(dim=0).numpy()
        chosen = np.empty(ordered.shape[1:])
        for step, count in enumerate(seen.tolist()):
            for place, level in enumerate(levels):
                rank = conformal_rank(count, level) if level >= 0.5 else count + 1 - conformal_rank(count, 1.0 - level)
                chosen[step, place] = ordered[rank - 1, step, place]
        return torch.from_numpy(chosen).float()

    def quantiles(self, head: Head, outputs: Tensor, levels: tuple[float, ...]) -> Tensor:
        """Corrected quantiles (B, H, Q), which never cross, of outputs (B, H, K)."""
        shifts = self.shifts(head, levels).to(outputs.device)
        return (base_quantiles(head, outputs, levels) + shifts).sort(dim=-1).values
