"""Folders of weights and their description, written whole or not at all: safetensors beside JSON, never pickle.

A folder is filled under another name and renamed into place. What is read is checked before it is used.
"""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nt_ray.neural.problems import NeuralError


def write_folder(folder: Path, tensors: Mapping[str, Tensor], weights: str, text: Mapping[str, Any], name: str) -> None:
    """Write tensors to the file `weights` and a JSON object to the file `name` of a folder, replacing it."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    fresh.mkdir()
    try:
        held = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
        save_file(held, fresh / weights)
        (fresh / name).write_text(json.dumps(text, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        for path in fresh.iterdir():
            _sync(path)
        _replace(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read_text(folder: Path, name: str) -> dict[str, Any]:
    """Read the JSON object of a folder."""
    path = Path(folder) / name
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NeuralError(f"{path} is not there. Give the folder of a saved model or checkpoint.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise NeuralError(f"{path} is no JSON ({problem}). Save it again, or take another version.") from problem
    if not isinstance(text, dict):
        raise NeuralError(f"{path} holds no object. Save it again, or take another version.")
    return text


def read_tensors(folder: Path, weights: str) -> dict[str, Tensor]:
    """Read the tensors of a folder."""
    path = Path(folder) / weights
    try:
        return load_file(path)
    except FileNotFoundError:
        raise NeuralError(f"{path} is not there. Save the model again, or take another version.") from None
    except (SafetensorError, ValueError) as problem:
        raise NeuralError(
            f"{path} is cut short or damaged ({problem}). Copy it again, or take another version."
        ) from problem


def match(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], where: Path) -> None:
    """Refuse tensors whose names or shapes are not those that are wanted."""
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing or extra:
        raise NeuralError(
            f"The weights in {where} lack {missing[:3]} and add {extra[:3]}. They belong to another network: "
            "load them with the description they were saved with."
        )
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            raise NeuralError(
                f"{name} in {where} has the shape {list(found[name].shape)}; the network has {list(tensor.shape)}. "
                "Load weights with the description they were saved with."
            )


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _replace(fresh: Path, folder: Path) -> None:
    """Put a folder in the place of another; between the two renames the old one lies beside it."""
    old = folder.with_name(f".{folder.name}.old-{uuid.uuid4().hex}")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
