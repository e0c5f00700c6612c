"""The quantile head: levels of a distribution that never cross, trained by the pinball loss.

Outputs are the quantile at the middle level (the one nearest to a half), the logarithm of a unit u, and one shape r for
each gap between levels. Each gap is u * (z' - z) * softplus(r) / log 2, where z are the standard normal's quantiles, so
outputs of zero are the standard normal. Other levels are read off lines between neighbouring levels over z, and beyond
the outermost levels off the outermost lines: exact for a normal distribution, never crossing for any.

Source: Koenker and Bassett (1978), Regression quantiles, Econometrica 46; gaps that are positive by construction:
Gasthaus et al. (2019), Probabilistic forecasting with spline quantile function RNNs.
"""

from collections.abc import Sequence
from functools import partial
from math import isclose, log

import torch
from torch import Tensor
from torch.nn import functional

from nt_ray.neural.heads.constants import Constants
from nt_ray.neural.heads.masked import masked_mean
from nt_ray.neural.problems import NeuralError

LOG_LIMIT = 20.0
"""Units stay within exp(-20) and exp(20)."""


class QuantileHead:
    """Quantiles at Q levels, from Q + 1 outputs (one where there is one level)."""

    name = "quantile"

    def __init__(self, levels: Sequence[float]) -> None:
        given = list(levels)
        if not given or given != sorted(set(given)) or not all(0.0 < level < 1.0 for level in given):
            raise NeuralError(f"Levels {given} are no levels of quantiles. Give increasing numbers between 0 and 1.")
        self.levels = tuple(given)
        self.width = len(given) + 1 if len(given) > 1 else 1
        self._middle = min(range(len(given)), key=lambda i: abs(given[i] - 0.5))
        exact = torch.tensor(given, dtype=torch.float64)
        scores = torch.special.ndtri(exact)
        self._constants = Constants(exact, scores, scores.diff() / log(2.0))

    def loss(self, outputs: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Pinball loss, the mean over levels and over what was observed: max(a e, (a - 1) e), e = truth - quantile."""
        levels = self._constants.on(outputs.device)[0]
        error = truth[..., None] - self.own(outputs)
        return masked_mean(torch.maximum(levels * error, (levels - 1.0) * error).mean(dim=-1), mask)

    def mean(self, outputs: Tensor) -> Tensor:
        """Median (B, H), or the one quantile there is."""
        if self.levels[self._middle] == 0.5 or len(self.levels) == 1:
            return outputs[..., 0]
        return self.quantiles(outputs, torch.tensor([0.5], device=outputs.device))[..., 0]

    def quantiles(self, outputs: Tensor, levels: Tensor) -> Tensor:
        """Quantiles (B, H, Q') at levels (Q',) in (0, 1)."""
        own = self.own(outputs)
        given = levels.tolist()
        # Levels that came as float32 are the same levels.
        if len(given) == len(self.levels) and all(map(partial(isclose, rel_tol=1e-6), given, self.levels)):
            return own
        scores = torch.special.ndtri(levels.double()).to(own)
        return self._read(own, scores.expand(*own.shape[:-1], -1))

    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        """Values (B, H): the quantiles at the first uniforms."""
        own = self.own(outputs)
        return self._read(own, torch.special.ndtri(uniforms[..., :1].double()).to(own))[..., 0]

    def own(self, outputs: Tensor) -> Tensor:
        """Quantiles (B, H, Q) at the levels of the head."""
        if len(self.levels) == 1:
            return outputs
        gaps = self._constants.on(outputs.device)[2]
        unit = outputs[..., 1:2].clamp(-LOG_LIMIT, LOG_LIMIT).exp()
        # A running sum of what is not negative cannot fall, in floating point either.
        above = functional.pad((unit * gaps * functional.softplus(outputs[..., 2:])).cumsum(dim=-1), (1, 0))
        return outputs[..., :1] + (above - above[..., self._middle : self._middle + 1])

    def _read(self, own: Tensor, scores: Tensor) -> Tensor:
        """Quantiles at normal scores (..., Q')."""
        if len(self.levels) == 1:
            raise NeuralError(
                f"The head was trained at the level {self.levels[0]:g} alone, which says nothing of others. "
                "Train at two levels or more."
            )
        known = self._constants.on(own.device)[1]
        right = torch.searchsorted(known, scores.contiguous()).clamp(1, len(self.levels) - 1)
        low, high = own.gather(-1, right - 1), own.gather(-1, right)
        share = (scores - known[right - 1]) / (known[right] - known[right - 1])
        found = low + share * (high - low)
        # Rounding may lift the end of a line over the beginning of the next.
        return torch.where(share <= 1.0, torch.minimum(found, high), found)
