"""Forecasts from a trained network, in the units of the series; in process, with nothing in between.

It guarantees that a forecast uses rows up to its origin alone, and refuses histories it cannot forecast from: too
short, too few values, infinite, or constant where each window is scaled by its own spread. One series has a short way
of its own (`forecast_one`), which costs little more than the network itself.
"""

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nt_ray.neural.inference.bundle import load_bundle
from nt_ray.neural.inference.forecast import Forecast
from nt_ray.neural.inference.one_window import GapError, OneWindow, flat, is_flat, measure
from nt_ray.neural.inference.quantiles import Intervals, quantiles_of
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.windows import resident
from nt_ray.neural.training.trained import Trained
from nt_ray.types import BoolArray, FloatArray, IntArray

START = np.datetime64("2000-01-01", "us")
"""Time of the first row where none is told."""
BATCH = 1024
"""Windows of one forward pass."""

Tell: TypeAlias = Callable[[int, int], None]
"""Hears how many windows are done, and of how many."""


def quietly(done: int, total: int) -> None:
    """Hear how many windows are done, and say nothing."""


class Predictor:
    """Forecasts of one trained network, on the device of its weights."""

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self._signature = trained.signature
        self._network = trained.network.eval()
        self._lookback = trained.signature.lookback
        self._device = next((p.device for p in trained.network.parameters()), torch.device("cpu"))
        self._mean = trained.head.mean
        scaler = trained.scaler
        pairs = zip(scaler.location.tolist(), scaler.scale.tolist(), strict=True)
        self._window = OneWindow(trained.signature, dict(zip(scaler.names, pairs, strict=True)), self._device)
        self._lock = threading.Lock()
        self._alone = not (trained.signature.past or trained.signature.future or trained.signature.static)

    def forecast(
        self, series: SeriesPanel | FloatArray, levels: Sequence[float] = (), *, intervals: Intervals = ""
    ) -> Forecast:
        """Forecast the rows after the last one.

        `series` is a panel, or values (T,) or (S, T) without inputs: one series of any name, or the training series in
        their order where the scale is that of the training rows.
        """
        panel = series if isinstance(series, SeriesPanel) else self._panel(np.asarray(series, dtype=np.float64))
        if len(panel) < self._lookback:
            raise NeuralError(_short(len(panel), self._lookback))
        # Rows further back say nothing to the network.
        panel = panel.rows(len(panel) - self._lookback, len(panel))
        mean, quantiles = self.windows(panel, np.array([self._lookback - 1]), levels, intervals=intervals)
        return Forecast(mean[:, 0], np.array(levels, dtype=np.float64), quantiles[:, 0])

    def windows(
        self,
        panel: SeriesPanel,
        origins: IntArray,
        levels: Sequence[float] = (),
        *,
        refuse: bool = True,
        intervals: Intervals = "",
        tell: Tell = quietly,
    ) -> tuple[FloatArray, FloatArray]:
        """Forecast from many origins; origin o knows rows up to and including o.

        Returns means (S, O, H) and quantiles (S, O, H, Q). A look-back with too few values, or without a spread to
        scale by, is refused; with `refuse` off the first is NaN and the second forecast all the same. `intervals` says
        which quantiles: the network's own ("model"), those that its validation errors correct ("conformal"), or what
        it has: its own, and for points conformal ones. `tell` hears how many windows are done, and of how many; what it
        raises ends the work.
        """
        self._signature.check(panel)
        good = self._good(panel, np.asarray(origins, dtype=np.int64), refuse)
        shape = (*good.shape, self._signature.horizon)
        mean, quantiles = np.full(shape, np.nan), np.full((*shape, len(levels)), np.nan)
        trained = self.trained
        data = resident(panel, self._lookback, shape[-1], trained.recipe.scaling, trained.scaler, self._device)
        asked = tuple(map(float, levels))
        # Rounding depends on how many windows pass together, so those that will be NaN pass too: a forecast keeps its
        # bits whatever is missing elsewhere.
        series, column = np.nonzero(np.ones_like(good))
        with torch.inference_mode():
            for part in range(0, len(series), BATCH):
                s, o = series[part : part + BATCH], column[part : part + BATCH]
                batch, scale = data.history(self._put(s), self._put(origins[o]))
                outputs = self._network(batch).float()
                location, width = (_host(tensor) for tensor in scale)
                mean[s, o] = _host(trained.head.mean(outputs)) * width + location
                if len(levels):
                    cut = _host(quantiles_of(trained, batch, outputs, asked, intervals))
                    quantiles[s, o] = cut * width[..., None] + location[..., None]
                tell(part + len(s), len(series))
        mean[~good], quantiles[~good] = np.nan, np.nan
        return mean, quantiles

    def forecast_one(self, values: FloatArray, name: str = "") -> FloatArray:
        """Forecast (H,) from the last L or more values of one series, for a model without inputs.

        `name` says which training series it is, where the scale is that of the training rows and there were several.
        NaN is masked where the series of the training had gaps too, and refused elsewhere.
        """
        if not self._alone:
            raise NeuralError("The model takes inputs beside the series. Use forecast with a panel that has them.")
        if len(values) < self._lookback:
            raise NeuralError(_short(len(values), self._lookback))
        rows = np.asarray(values[-self._lookback :], dtype=np.float64)
        try:
            return self._forecast_whole(rows, name)
        except GapError:
            if "target" not in self._signature.gaps or np.isinf(rows).any():
                raise
        return self._forecast_masked(rows, name)

    def _forecast_whole(self, rows: FloatArray, name: str) -> FloatArray:
        with self._lock:
            location, scale = self._window.fill(rows, name)
            with torch.inference_mode():
                mean = self._mean(self._network(self._window.batch()))
            forecast: FloatArray = _host(mean)[0]
        forecast *= scale
        forecast += location
        return forecast

    def _forecast_masked(self, rows: FloatArray, name: str) -> FloatArray:
        known = self.trained.scaler.names
        names = (name or (known[0] if len(known) == 1 else ""),)
        times = START + np.arange(len(rows)) * np.timedelta64(1, "D")
        panel = SeriesPanel(names, times, rows[None], frequency=self._signature.frequency)
        mean: FloatArray = self.forecast(panel).mean[0]
        return mean

    def _put(self, values: IntArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64)).to(self._device)

    def _panel(self, values: FloatArray) -> SeriesPanel:
        rows = np.atleast_2d(values)
        if rows.ndim != 2 or not rows.size:
            raise NeuralError(f"Values have the shape {values.shape}. Give (T,) or (S, T).")
        names = self.trained.scaler.names
        if names and len(names) != len(rows):
            raise NeuralError(
                f"{len(rows)} series came without names, and the scale was fitted on {len(names)}. "
                "Give a panel with names."
            )
        times = START + np.arange(rows.shape[1]) * np.timedelta64(1, "D")
        frequency = self._signature.frequency
        return SeriesPanel(names or tuple(str(i) for i in range(len(rows))), times, rows, frequency=frequency)

    def _good(self, panel: SeriesPanel, origins: IntArray, refuse: bool) -> BoolArray:
        """Which windows (S, O) can be forecast from."""
        low, high = self._lookback - 1, min(len(panel), panel.future.shape[1] - self._ahead) - 1
        if len(origins) and (origins.min() < low or origins.max() > high):
            raise NeuralError(
                f"Origins {origins.min()} to {origins.max()} were asked for, and a panel of {len(panel)} rows with "
                f"future inputs for {panel.ahead} more allows {low} to {high}. Give more rows, or other origins."
            )
        seen = ~np.isnan(panel.target)
        known = np.concatenate([np.zeros((len(seen), 1), np.int64), np.cumsum(seen, axis=1)], axis=1)
        counts = known[:, origins + 1] - known[:, origins + 1 - self._lookback]
        least = max(1, math.ceil(self.trained.recipe.observed * self._lookback))
        good: BoolArray = counts >= least
        if refuse:
            self._refuse(panel, origins, counts, least)
        return good

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "Predictor":
        """Predictor of a bundle."""
        return cls(load_bundle(folder, device))

    @property
    def _ahead(self) -> int:
        """Rows after an origin for which future inputs are needed."""
        return self._signature.horizon if self._signature.future else 0

    def _refuse(self, panel: SeriesPanel, origins: IntArray, counts: IntArray, least: int) -> None:
        for s, o in np.argwhere(counts < least)[:1]:
            raise NeuralError(
                f"Series {panel.names[s]!r} has {counts[s, o]} values in the {self._lookback} rows up to row "
                f"{origins[o]}, and {least} are needed. Fill them, or leave the series out."
            )
        if self._signature.scaling in ("none", "fold"):
            return
        for s, name in enumerate(panel.names):
            for origin in origins:
                values = panel.target[s, origin + 1 - self._lookback : origin + 1]
                location, spread = measure(self._signature.scaling, values[~np.isnan(values)])
                if is_flat(location, spread):
                    raise NeuralError(flat(f"Series {name!r}", self._lookback, location))


def predict_windows(
    trained: Trained, panel: SeriesPanel, origins: IntArray, levels: Sequence[float] = (), tell: Tell = quietly
) -> tuple[FloatArray, FloatArray]:
    """Forecast from many origins, (S, O, H) and (S, O, H, Q), with NaN where too little was observed."""
    return Predictor(trained).windows(panel, origins, levels, refuse=False, tell=tell)


def _host(tensor: Tensor) -> npt.NDArray[np.float64]:
    return tensor.cpu().numpy().astype(np.float64)


def _short(rows: int, lookback: int) -> str:
    return f"The series has {rows} rows, and the model looks back {lookback}. Give at least {lookback}."
