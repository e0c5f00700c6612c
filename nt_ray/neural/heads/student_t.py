"""The Student-t head: location, scale and degrees of freedom of each step, trained by their likelihood.

Outputs are the location, the logarithm of the scale, and r with LEAST + softplus(r) degrees of freedom, so that the
variance exists. Beyond `MOST` degrees t is taken as t with `MOST`, which no sample tells from a normal.

Source: Salinas et al. (2020), DeepAR, section 3; draws by Bailey (1994), Polar generation of random variates with the
t-distribution, Mathematics of Computation 62.
"""

from math import pi
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from nt_ray.neural.heads.masked import masked_mean
from nt_ray.neural.heads.quantile import LOG_LIMIT
from nt_ray.neural.heads.student_inverse import student_inverse

LEAST: Final = 2.001
MOST: Final = 1000.0


class StudentHead:
    """A t distribution for each step, from three outputs."""

    name = "student_t"
    width = 3

    def loss(self, outputs: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Mean negative log-likelihood of what was observed."""
        location, log_scale, freedom = self.parameters(outputs)
        z = (truth - location) * (-log_scale).exp()
        constant = torch.lgamma((freedom + 1.0) / 2.0) - torch.lgamma(freedom / 2.0) - 0.5 * (freedom * pi).log()
        likelihood = constant - log_scale - (freedom + 1.0) / 2.0 * torch.log1p(z.square() / freedom)
        return -masked_mean(likelihood, mask)

    def mean(self, outputs: Tensor) -> Tensor:
        """Point forecast (B, H): the mean, which is the median too."""
        return outputs[..., 0]

    def quantiles(self, outputs: Tensor, levels: Tensor) -> Tensor:
        """Quantiles (B, H, Q) at levels (Q,) in (0, 1)."""
        location, log_scale, freedom = self.parameters(outputs)
        inverse = student_inverse(tuple(levels.tolist()), freedom)
        return location[..., None] + log_scale.exp()[..., None] * inverse

    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        """Values (B, H), exact draws from two uniforms each."""
        location, log_scale, freedom = self.parameters(outputs)
        radius = (freedom * torch.expm1(-2.0 / freedom * uniforms[..., 0].log())).sqrt()
        return location + log_scale.exp() * radius * torch.cos(2.0 * pi * uniforms[..., 1])

    def parameters(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Location, logarithm of the scale and degrees of freedom, (B, H) each."""
        freedom = (LEAST + functional.softplus(outputs[..., 2])).clamp(max=MOST)
        return outputs[..., 0], outputs[..., 1].clamp(-LOG_LIMIT, LOG_LIMIT), freedom
