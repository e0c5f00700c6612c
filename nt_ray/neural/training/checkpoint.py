"""Checkpoints of a training run: a folder with `state.safetensors` and `state.json`, written whole or not at all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nt_ray.neural.inference.folder import match, read_tensors, read_text, write_folder
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.validation import Best

if TYPE_CHECKING:
    from nt_ray.neural.training.training import Training

FORMAT: Final = "nt-ray-checkpoint/1"
TENSORS, TEXT = "state.safetensors", "state.json"


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a checkpoint says beside the weights and moments."""

    step: int
    best: Best
    validations: list[tuple[int, float]]
    losses: npt.NDArray[np.float32]


def write_checkpoint(run: "Training", folder: Path) -> None:
    """Write the state of a run."""
    best = run.best
    tensors = _tensors(run) | {f"best.{name}": tensor for name, tensor in best.weights.items()}
    tensors["losses"] = torch.from_numpy(run.losses())
    text = {
        "format": FORMAT,
        "step": run.step,
        "recipe": run.recipe.model_dump(mode="json"),
        "data": run.data,
        "best": {"loss": best.loss, "step": best.step, "waited": best.waited} if best.weights else None,
        "validations": run.validations,
    }
    write_folder(folder, tensors, TENSORS, text, TEXT)


def read_checkpoint(run: "Training", folder: Path, free: Collection[str] = ()) -> State:
    """Put the weights and moments of a checkpoint into a run, and return the rest.

    `free` are fields of the recipe in which the run may differ from the one that wrote it.
    """
    text = read_text(folder, TEXT)
    _check(run, text, folder, free)
    tensors = read_tensors(folder, TENSORS)
    losses = tensors.pop("losses", torch.empty(0)).numpy()
    best = {name[5:]: tensors.pop(name) for name in sorted(tensors) if name.startswith("best.")}
    own = _tensors(run)
    match(tensors, own, Path(folder))
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
    found: Mapping[str, Any] | None = text["best"]
    device = run.task.device
    weights = {name: tensor.to(device) for name, tensor in best.items()}
    kept = Best(found["loss"], found["step"], found["waited"], weights) if found else Best()
    return State(text["step"], kept, [(int(s), float(v)) for s, v in text["validations"]], losses)


def _tensors(run: "Training") -> dict[str, Tensor]:
    network = {f"network.{name}": tensor for name, tensor in run.task.network.state_dict().items()}
    return network | {f"moments.{name}": tensor for name, tensor in run.optimiser.state().items()}


def _check(run: "Training", text: Mapping[str, Any], folder: Path, free: Collection[str]) -> None:
    if text.get("format") != FORMAT:
        raise NeuralError(f"{folder} has the format {text.get('format')!r}, not {FORMAT!r}. Give a checkpoint folder.")
    written = Recipe.model_validate(text["recipe"])
    fields = [name for name in Recipe.model_fields if getattr(written, name) != getattr(run.recipe, name)]
    if set(fields) - set(free):
        raise NeuralError(
            f"The checkpoint in {folder} was written by a recipe with other {', '.join(fields)}. "
            "Resume with the same recipe, or start anew from its weights."
        )
    if text["data"] != run.data:
        raise NeuralError(
            f"The checkpoint in {folder} was trained on other data. Resume with the same, "
            "or start anew from its weights."
        )
