"""A trained generator as a source of paths: any number, of any length, path p a function of the seed and p alone.

Saved as a folder of `weights.safetensors` and `model.json`. Returns are of the kind it was trained on; the scenarios of
`scenarios` take them for logarithmic.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from nt_ray.neural.inference.folder import match, read_tensors, read_text, write_folder
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.draws import PATHS, noise
from nt_ray.neural.synthetic.generator import Generator
from nt_ray.neural.synthetic.preprocessing import Preprocessing
from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.neural.synthetic.training import GanTraining, build_generator, data_hash
from nt_ray.project import project
from nt_ray.types import FloatArray

FORMAT: Final = "nt-ray-synthetic/1"
WEIGHTS, TEXT = "weights.safetensors", "model.json"
CHUNK = 16
"""Paths are generated in groups of this size, from its multiples on, so that the bits of a path are its own."""


@dataclass(frozen=True, slots=True, eq=False)
class PathSource:
    """Generator, its way back to returns, and where both come from."""

    generator: Generator
    preprocessing: Preprocessing
    settings: GanSettings
    lineage: Mapping[str, Any]

    @classmethod
    def of(cls, training: GanTraining, lineage: Mapping[str, Any] | None = None) -> "PathSource":
        """Take the averaged weights of a training; `lineage` is added to what it knows itself."""
        generator = build_generator(training.settings)
        generator.load_state_dict(training.averaged.state_dict())
        own = {
            "data_hash": data_hash(training.returns),
            "rows": len(training.returns),
            "steps": training.step,
            "code_version": project().version,
        }
        known = {**own, **(lineage or {})}
        return cls(generator.eval().requires_grad_(False), training.preprocessing, training.settings, known)

    def paths(self, count: int, length: int, *, seed: int = 0, first: int = 0) -> FloatArray:
        """Generate returns (count, length): the paths numbered from `first`."""
        if min(count, length) < 1 or first < 0:
            raise NeuralError(
                f"{count} paths of {length} steps from number {first} cannot be drawn. Use 1 or more, from number 0 on."
            )
        out = np.empty((count, length))
        for start in range(first // CHUNK * CHUNK, first + count, CHUNK):
            drawn = self._group(start, length, seed)
            low, high = max(start, first), min(start + CHUNK, first + count)
            out[low - first : high - first] = drawn[low - start : high - start]
        return out

    def save(self, folder: Path) -> None:
        """Write to a folder, whole or not at all."""
        text = {
            "format": FORMAT,
            "model": "gan",
            "parameters": self.settings.model_dump(mode="json"),
            "preprocessing": asdict(self.preprocessing),
            "signature": {"inputs": [], "outputs": "returns"},
            "lineage": dict(self.lineage),
        }
        write_folder(folder, self.generator.state_dict(), WEIGHTS, text, TEXT)

    @classmethod
    def load(cls, folder: Path) -> "PathSource":
        """Read what `save` wrote."""
        text = read_text(folder, TEXT)
        if text.get("format") != FORMAT:
            raise NeuralError(
                f"{folder} has the format {text.get('format')!r}, not {FORMAT!r}. Give the folder of a saved generator."
            )
        try:
            settings = GanSettings.model_validate(text["parameters"])
            preprocessing = Preprocessing(**{name: float(value) for name, value in text["preprocessing"].items()})
            lineage = dict(text["lineage"])
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise NeuralError(
                f"{Path(folder) / TEXT} does not describe a generator ({problem}). "
                "Save it again, or take another version."
            ) from problem
        generator = build_generator(settings)
        tensors = read_tensors(folder, WEIGHTS)
        match(tensors, generator.state_dict(), Path(folder))
        generator.load_state_dict(tensors)
        return cls(generator.eval().requires_grad_(False), preprocessing, settings, lineage)

    def _group(self, start: int, length: int, seed: int) -> FloatArray:
        steps, channels = length + self.generator.receptive, self.generator.channels
        drawn = torch.stack([noise(seed, PATHS, start + i, steps, channels) for i in range(CHUNK)])
        with torch.no_grad():
            returns: FloatArray = self.preprocessing.inverse(self.generator(drawn).double()).numpy()
        return returns
