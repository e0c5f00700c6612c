"""The point head: one output, the forecast itself."""

from typing import Final, NoReturn

from torch import Tensor
from torch.nn import functional

from nt_ray.neural.heads.masked import masked_mean
from nt_ray.neural.problems import NeuralError


def _squared(residual: Tensor) -> Tensor:
    return residual.square()


def _absolute(residual: Tensor) -> Tensor:
    return residual.abs()


def _huber(residual: Tensor) -> Tensor:
    return functional.smooth_l1_loss(residual, residual.new_zeros(()).expand_as(residual), reduction="none")


LOSSES: Final = {"mse": _squared, "mae": _absolute, "huber": _huber}
"""Squared error, absolute error, and Huber's: squared halves up to 1, absolute less a half beyond."""


class PointHead:
    """Forecasts the mean (mse), the median (mae) or something between (huber); it knows no distribution."""

    width = 1

    def __init__(self, name: str) -> None:
        self.name = name
        self._error = LOSSES[name]

    def loss(self, outputs: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Mean error over what was observed."""
        return masked_mean(self._error(outputs[..., 0] - truth), mask)

    def mean(self, outputs: Tensor) -> Tensor:
        """Point forecast (B, H)."""
        return outputs[..., 0]

    def quantiles(self, outputs: Tensor, levels: Tensor) -> Tensor:
        """Refuse: there are none."""
        del outputs, levels
        self._refuse("quantiles")

    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        """Refuse: there is nothing to draw from."""
        del outputs, uniforms
        self._refuse("distribution to draw from")

    def _refuse(self, what: str) -> NoReturn:
        raise NeuralError(
            f"The head {self.name} forecasts points and has no {what}. "
            "Train with the head quantile or student_t, or put conformal intervals around it."
        )
