"""Model bundles: a folder with `weights.safetensors` and `model.json`, which is all that a forecast needs.

A bundle appears whole or not at all. On loading everything is checked before a network is handed out: format, model,
parameters, names and shapes of the weights, and that each weight is a number. Where bundles are kept is not known here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from nt_ray.neural.inference.calibration import Calibration
from nt_ray.neural.inference.folder import match, read_tensors, read_text, write_folder
from nt_ray.neural.models import registry
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.scaling import FoldScaler
from nt_ray.neural.series.signature import Signature
from nt_ray.neural.training.building import build_head, build_network
from nt_ray.neural.training.device import find_device
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.project import project

FORMAT: Final = "nt-ray-model/1"
WEIGHTS: Final = "weights.safetensors"
TEXT: Final = "model.json"
_SCALES: Final = ("location", "scale", "past", "future", "static")
_CALIBRATION: Final = ("outputs", "truth")


class Lineage(BaseModel):
    """Where a model comes from: data by digest, versions of the code, settings of the run, and what was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    code: str
    torch: str
    config: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    reference: dict[str, Any] = {}
    """What later inputs and errors are compared with."""


class Description(BaseModel):
    """Everything about a model but its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["nt-ray-model/1"]
    model: str
    parameters: dict[str, float]
    shape: dict[str, int]
    recipe: Recipe
    signature: Signature
    series: tuple[str, ...]
    """Series whose scale was fitted on the training rows; empty where each window is scaled by itself."""

    step: int
    best: int
    lineage: Lineage


def save_bundle(
    trained: Trained,
    folder: Path,
    *,
    config: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    reference: Mapping[str, Any] | None = None,
) -> Description:
    """Write a bundle, replacing what the folder held; `config`, `metrics` and `reference` go into the lineage."""
    model = registry.find(trained.recipe.model)
    # Defaults may change with a release; the bundle says what its network was built with.
    parameters = registry.parameters(model.name, trained.recipe.parameters)
    recipe = trained.recipe.model_copy(update={"model": model.name, "parameters": parameters})
    shape = trained.network.shape
    description = Description(
        format=FORMAT,
        model=model.name,
        parameters=parameters,
        shape={name: getattr(shape, name) for name in shape.__slots__},
        recipe=recipe,
        signature=trained.signature,
        series=trained.scaler.names,
        step=trained.step,
        best=trained.best,
        lineage=Lineage(
            data=trained.data,
            code=project().version,
            torch=torch.__version__,
            config=dict(config or {}),
            metrics=_measured(trained) | dict(metrics or {}),
            reference=dict(reference or {}),
        ),
    )
    tensors = {f"network.{name}": tensor for name, tensor in trained.network.state_dict().items()}
    tensors |= {f"scaler.{name}": torch.from_numpy(getattr(trained.scaler, name)) for name in _SCALES}
    if trained.calibration is not None:
        tensors |= {f"calibration.{name}": getattr(trained.calibration, name) for name in _CALIBRATION}
    write_folder(folder, tensors, WEIGHTS, description.model_dump(mode="json"), TEXT)
    return description


def describe_bundle(folder: Path) -> Description:
    """Read what a bundle says about itself."""
    text = read_text(folder, TEXT)
    if text.get("format") != FORMAT:
        raise NeuralError(
            f"{Path(folder) / TEXT} has the format {text.get('format')!r}; {FORMAT!r} is read here. "
            "Load it with the release that wrote it, or train anew."
        )
    try:
        return Description.model_validate(text)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise NeuralError(
            f"{Path(folder) / TEXT} is no description of a model: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
            "Save the model again, or take another version."
        ) from problem


def load_bundle(folder: Path, device: str | torch.device = "cpu") -> Trained:
    """Read a bundle and build its network with its weights."""
    place = find_device(device)
    description = describe_bundle(folder)
    tensors = read_tensors(folder, WEIGHTS)
    scales = {name: tensors.pop(f"scaler.{name}", None) for name in _SCALES}
    known = [tensors.pop(f"calibration.{name}", None) for name in _CALIBRATION]
    missing = [name for name, values in scales.items() if values is None]
    if missing:
        raise NeuralError(f"The weights in {folder} lack the scales {missing}. Save the model again.")
    head = build_head(description.recipe)
    network = build_network(description.recipe, description.signature, head.width)
    _check_shape(description, network.shape, folder)
    own = network.state_dict()
    found = {name.removeprefix("network."): tensor for name, tensor in tensors.items()}
    match(found, own, Path(folder))
    _check_finite(found, folder)
    network.load_state_dict(found)
    return Trained(
        network=network.to(place).eval(),
        head=head,
        recipe=description.recipe,
        signature=description.signature,
        scaler=FoldScaler(description.series, **{k: v.numpy() for k, v in scales.items() if v is not None}),
        losses=np.empty(0, np.float32),
        validations=(),
        step=description.step,
        best=description.best,
        data=description.lineage.data,
        calibration=_calibration(known, (description.signature.horizon, head.width), folder),
    )


def _calibration(known: list[Tensor | None], shape: tuple[int, int], folder: Path) -> Calibration | None:
    """Calibration of these tensors, (N, H, K) and (N, H); None where the bundle has none."""
    outputs, truth = known
    if outputs is None or truth is None:
        return None
    if outputs.shape[1:] != shape or truth.shape != outputs.shape[:2] or not bool(outputs.isfinite().all()):
        raise NeuralError(f"The calibration in {folder} belongs to another network. Save the model again.")
    return Calibration(outputs, truth)


def _measured(trained: Trained) -> dict[str, float]:
    """Losses that a run leaves behind."""
    found = {}
    if len(trained.losses):
        found["training_loss"] = float(trained.losses[-1])
    if trained.validations:
        found["validation_loss"] = dict(trained.validations).get(trained.best, trained.validations[-1][1])
        if trained.recipe.solver == "ridge":
            found["penalty"] = trained.recipe.penalties[trained.best - 1]
    elif trained.recipe.solver == "ridge":
        found["penalty"] = trained.recipe.penalties[-1]
    return found


def _check_shape(description: Description, shape: object, folder: Path) -> None:
    for name, size in description.shape.items():
        if getattr(shape, name, None) != size:
            raise NeuralError(
                f"{folder} says {name} = {size}, and its recipe and signature build {getattr(shape, name, None)}. "
                "The description was changed by hand: restore it, or take another version."
            )


def _check_finite(tensors: Mapping[str, Tensor], folder: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise NeuralError(f"{name} in {folder} holds NaN or infinite weights. Take another version, or train anew.")
