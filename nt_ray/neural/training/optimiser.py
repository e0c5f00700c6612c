"""AdamW (Loshchilov & Hutter, 2019) with gradients clipped by their norm, free of host synchronisation.

The moments are held in the order of the parameters, so that a checkpoint can name them. A parameter without a gradient
is left as it is. The rate is given at each step, as a number or as a tensor that a captured graph reads.
"""

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim.adamw import adamw

BETAS: Final = (0.9, 0.999)
EPSILON: Final = 1e-8


class AdamW:
    """Moments of a list of parameters, and the step that uses them."""

    def __init__(
        self,
        parameters: Iterable[Parameter],
        weight_decay: float,
        clip: float,
        betas: tuple[float, float] = BETAS,
    ) -> None:
        self.parameters = [p for p in parameters if p.requires_grad]
        self.averages = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters]
        self._weight_decay = weight_decay
        self._clip = clip
        self._betas = betas

    def zero(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def gradients(self) -> list[Tensor]:
        """Gradients there are, in the order of the parameters."""
        return [p.grad for p in self.parameters if p.grad is not None]

    def step(self, rate: float | Tensor) -> None:
        """Clip the gradients and move the parameters against them."""
        gradients = self.gradients()
        if self._clip > 0:
            norm = get_total_norm(gradients, foreach=True)
            clip_grads_with_norm_(self.parameters, self._clip, norm, foreach=True)
        held: list[list[Tensor]] = [list(self.parameters), self.averages, self.squares, self.steps]
        if len(gradients) < len(self.parameters):
            used = [i for i, p in enumerate(self.parameters) if p.grad is not None]
            held = [[column[i] for i in used] for column in held]
        parameters, averages, squares, steps = held
        with torch.no_grad():
            adamw(
                parameters,
                gradients,
                averages,
                squares,
                [],
                steps,
                fused=True,
                amsgrad=False,
                beta1=self._betas[0],
                beta2=self._betas[1],
                lr=rate,
                weight_decay=self._weight_decay,
                eps=EPSILON,
                maximize=False,
            )

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts by name."""
        return {
            f"{kind}.{i}": tensor
            for kind in ("averages", "squares", "steps")
            for i, tensor in enumerate(getattr(self, kind))
        }

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` gave."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
