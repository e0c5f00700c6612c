"""Reference windows of a bundle: look-backs with what came after them, on which another precision has to prove itself.

They lie as `reference.safetensors` in the bundle's folder and are registered with it.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import save_file

from nt_ray.neural.inference.folder import read_tensors
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.windows import KINDS, WindowSet, windows
from nt_ray.neural.training.trained import Trained
from nt_ray.types import FloatArray

FILE: Final = "reference.safetensors"
COUNT: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Windows and their truth (B, H), all finite."""

    windows: WindowSet
    truth: FloatArray

    def error(self, mean: FloatArray) -> float:
        """Mean absolute error of means (B, H), each in units of the deviation of its look-back."""
        unit = self.windows.target.std(axis=1, keepdims=True)
        return float((np.abs(mean - self.truth) / np.where(unit > 0, unit, 1.0)).mean())


def reference_of(panel: SeriesPanel, trained: Trained, count: int = COUNT) -> Reference:
    """Take up to `count` windows without a gap from a panel, the latest of each series, evenly over the series."""
    back, ahead = trained.signature.lookback, trained.signature.horizon
    trained.signature.check(panel)
    each = max(1, count // len(panel.names))
    places = [
        (row, start)
        for row in range(len(panel.names))
        for start in range(len(panel) - back - ahead, -1, -ahead)
        if _whole(panel, row, start, back, ahead)
    ]
    taken: dict[int, list[int]] = {}
    for row, start in places:
        taken.setdefault(row, []).append(start)
    chosen = [(row, start) for row, starts in taken.items() for start in starts[:each]]
    if not chosen:
        raise NeuralError(
            f"No {back + ahead} rows in a row are complete and vary in any series. Give a panel with fewer gaps."
        )
    given = {
        "target": np.stack([panel.target[s, i : i + back] for s, i in chosen]),
        "past": np.stack([panel.past[s, i : i + back] for s, i in chosen]),
        "future": np.stack([panel.future[s, i : i + back + ahead] for s, i in chosen]),
        "static": np.stack([panel.static[s] for s, _ in chosen]),
    }
    given = {kind: values for kind, values in given.items() if values.shape[-1]}
    named = [panel.names[s] for s, _ in chosen]
    truth = np.stack([panel.target[s, i + back : i + back + ahead] for s, i in chosen])
    return Reference(windows(trained.signature, given, named, trained.scaler.names), truth)


def save_reference(reference: Reference, folder: Path, names: tuple[str, ...] = ()) -> None:
    """Put reference windows into the folder of a bundle; `names` are the series that its scale knows."""
    arrays = {kind: np.ascontiguousarray(getattr(reference.windows, kind)) for kind in KINDS}
    arrays["truth"] = np.ascontiguousarray(reference.truth)
    arrays["series"] = np.array([names.index(name) for name in reference.windows.series], dtype=np.int64)
    fresh = folder / f".{FILE}.{uuid.uuid4().hex}"
    save_file(arrays, fresh)
    fresh.replace(folder / FILE)


def load_reference(folder: Path, trained: Trained) -> Reference | None:
    """Read the reference windows of a bundle; None where it has none."""
    if not (folder / FILE).exists():
        return None
    arrays = {name: tensor.numpy() for name, tensor in read_tensors(folder, FILE).items()}
    if missing := [name for name in (*KINDS, "truth", "series") if name not in arrays]:
        raise NeuralError(f"{folder / FILE} lacks {', '.join(missing)}. Save the reference windows again.")
    truth, rows = arrays.pop("truth"), arrays.pop("series").tolist()
    names = trained.scaler.names
    if any(not 0 <= row < len(names) for row in rows) or truth.shape[1:] != (trained.signature.horizon,):
        raise NeuralError(f"{folder / FILE} belongs to another model. Save the reference windows again.")
    given = {kind: values for kind, values in arrays.items() if values.shape[-1]}
    checked = windows(trained.signature, given, [names[row] for row in rows], names)
    if len(checked) != len(truth):
        raise NeuralError(f"{folder / FILE} has {len(truth)} truths for {len(checked)} windows. Save it again.")
    return Reference(checked, truth)


def _whole(panel: SeriesPanel, row: int, start: int, back: int, ahead: int) -> bool:
    last = start + back + ahead
    target = panel.target[row, start:last]
    inputs = (panel.past[row, start : start + back], panel.future[row, start:last], panel.static[row])
    complete = np.isfinite(target).all() and all(np.isfinite(values).all() for values in inputs)
    return bool(complete and np.ptp(target[:back]) > 0)
