"""From what a network has read to its outputs: all steps of the horizon at once."""

from torch import Tensor, nn

from nt_ray.neural.models.base import Shape
from nt_ray.neural.series.batch import Batch

WIDTH = 32
"""Width in which the inputs of a future bar meet the context."""


class Readout(nn.Module):
    """Context (B, C) to outputs (B, H, K).

    A linear map of the context for each step, and, where there are inputs known in advance, a perceptron of context and
    the inputs of the step, the same for all steps.
    """

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        self._size = (shape.horizon, shape.outputs)
        self.direct = nn.Linear(width, shape.horizon * shape.outputs)
        self.context = nn.Linear(width, WIDTH) if shape.future else None
        self.ahead = nn.Linear(shape.future, WIDTH) if shape.future else None
        self.together = nn.Linear(WIDTH, shape.outputs) if shape.future else None

    def forward(self, context: Tensor, batch: Batch) -> Tensor:
        """Outputs (B, H, K)."""
        outputs: Tensor = self.direct(context).unflatten(1, self._size)
        if self.context is None or self.ahead is None or self.together is None:
            return outputs
        future = self.ahead(batch.future[:, -self._size[0] :]) + self.context(context)[:, None]
        added: Tensor = self.together(future.relu())
        return outputs + added
