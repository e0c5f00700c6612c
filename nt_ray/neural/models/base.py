"""What a model of the platform is: documented parameters, and a network from a batch of windows to outputs.

Each file of this package ends with `MODEL`. A network is global: one set of weights for all series, each window a row
of its own. It must be deterministic in `eval()` mode, must not look at the clock or the global random state there, and
keeps no state between calls.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth
from nt_ray.strategies.base import Parameter

if TYPE_CHECKING:
    from nt_ray.neural.heads.heads import Head


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes a network is built for: look-back L, horizon H, widths of the inputs, outputs K for each step ahead."""

    lookback: int
    horizon: int
    past: int = 0
    future: int = 0
    static: int = 0
    outputs: int = 1

    def __post_init__(self) -> None:
        for name, least in (("lookback", 1), ("horizon", 1), ("past", 0), ("future", 0), ("static", 0), ("outputs", 1)):
            value = getattr(self, name)
            if value < least:
                raise NeuralError(f"{name}={value} makes no network. Use at least {least}.")


class Forecaster(nn.Module, ABC):
    """A network that forecasts."""

    capturable: ClassVar[bool] = True
    """Whether its operations are the same in every training step, so that one can be recorded and replayed."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """Outputs (B, H, K) in the scale of the batch; what the K mean is the head's to say (`nt_ray.neural.heads`)."""

    def fitted(self, batch: Batch, truth: Truth) -> Tensor:
        """Outputs (B, H, K) that a training step compares with the truth.

        A network that feeds its own forecasts back is given the truth here instead, which then stands in none of its
        inputs at or before the step it forecasts.
        """
        del truth
        outputs: Tensor = self(batch)
        return outputs

    def quantiles(self, batch: Batch, outputs: Tensor, levels: Tensor, head: "Head", seed: int) -> Tensor:
        """Quantiles (B, H, Q) at levels (Q,), from the outputs (B, H, K) of this batch.

        A network that draws paths reads them off these, by `seed`; a window's never depend on those beside it.
        """
        del batch, seed
        return head.quantiles(outputs, levels)


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of network as data: name, documentation, parameters and how it is built.

    `build(shape, values)` gets every parameter by name, checked. `inputs` says which of past, future and static inputs
    it uses; a shape with others is refused.
    """

    name: str
    summary: str
    source: str
    parameters: tuple[Parameter, ...]
    build: Callable[[Shape, Mapping[str, float]], Forecaster]
    inputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
