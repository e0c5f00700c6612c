"""Validation during training: the loss on held-out windows, the best weights so far, and when to stop."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from nt_ray.neural.series.valid import ValidWindows
from nt_ray.neural.training.step import Task


@dataclass(slots=True)
class Best:
    """Best validation so far; `waited` counts those since that were no better."""

    loss: float = float("inf")
    step: int = 0
    waited: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def hear(self, loss: float, step: int, weights: dict[str, Tensor]) -> None:
        """Take in the loss after `step` steps."""
        if loss < self.loss:
            self.loss, self.step, self.waited = loss, step, 0
            self.weights = {name: tensor.detach().clone() for name, tensor in weights.items()}
        else:
            self.waited += 1


def validation_loss(task: Task, windows: ValidWindows) -> float:
    """Mean loss over what was observed in the horizons of these windows, the network in evaluation mode."""
    network, recipe = task.network, task.recipe
    places = windows.share(windows.spread(recipe.validation_windows), task.team.rank, task.team.size)
    total = torch.zeros(2, dtype=torch.float64, device=task.device)
    network.eval()
    with torch.inference_mode():
        for part in torch.split(places, max(recipe.batch, 256)) if len(places) else ():
            cut = task.data.windows(*windows.locate(part))
            with torch.autocast(task.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
                outputs = network(cut.batch)
            loss = task.head.loss(outputs.float(), cut.truth.target, cut.truth.mask)
            seen = cut.truth.mask.sum()
            total += torch.stack([loss * seen, seen])
    network.train()
    summed, seen = task.team.total(total).tolist()
    return float(summed / seen)
