"""What an evaluation judges: a method that is fitted on the past and forecasts from many origins.

The naive rules stand behind the same door as the networks, so that nothing is judged without them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring import naive
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Forecasts from O origins in units of the target; origin o knows rows up to and including o."""

    origins: IntArray
    """(O,) rows, increasing."""
    mean: FloatArray
    """(S, O, H)."""
    levels: tuple[float, ...] = ()
    quantiles: FloatArray | None = None
    """(S, O, H, Q), None for a method that gives points alone."""

    def __post_init__(self) -> None:
        if self.mean.ndim != 3 or self.mean.shape[1] != len(self.origins):
            raise NeuralError(f"Forecasts of shape {self.mean.shape} do not fit {len(self.origins)} origins.")
        if self.quantiles is not None and self.quantiles.shape != (*self.mean.shape, len(self.levels)):
            raise NeuralError(
                f"Quantiles of shape {self.quantiles.shape} do not fit forecasts of shape {self.mean.shape} "
                f"and {len(self.levels)} levels."
            )

    @classmethod
    def joined(cls, parts: "list[Forecasts]") -> "Forecasts":
        """Forecasts of one method from later and later origins as one."""
        if not parts:
            raise NeuralError("There are no forecasts to join. Make at least one.")
        known = [p.quantiles for p in parts if p.quantiles is not None]
        return cls(
            np.concatenate([p.origins for p in parts]),
            np.concatenate([p.mean for p in parts], axis=1),
            parts[0].levels,
            np.concatenate(known, axis=1) if len(known) == len(parts) else None,
        )


class Fitted(Protocol):
    """A method after fitting."""

    def forecast(self, panel: SeriesPanel, origins: IntArray) -> Forecasts:
        """Forecast from origins of a panel that may know more than they do; each uses rows up to itself alone."""
        ...

    def state(self) -> Mapping[str, FloatArray]:
        """All that fitting has left, by name (weights, scales), for the leak test."""
        ...


class Method(Protocol):
    """A way to forecast."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    @property
    def horizon(self) -> int:
        """Steps ahead it forecasts."""
        ...

    def fit(self, panel: SeriesPanel, seed: int, before: Fitted | None) -> Fitted:
        """Fit on a panel that ends where knowledge ends; `before` is the fit of earlier rows to start from, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Naive:
    """A naive rule as a method; fitting does nothing."""

    name: str
    horizon: int
    season: int = 1

    def __post_init__(self) -> None:
        if self.name not in naive.RULES:
            raise NeuralError(f"There is no naive rule {self.name!r}. Use one of: {', '.join(naive.RULES)}.")

    def fit(self, panel: SeriesPanel, seed: int, before: Fitted | None) -> "Naive":
        """Return the rule itself."""
        del panel, seed, before
        return self

    def forecast(self, panel: SeriesPanel, origins: IntArray) -> Forecasts:
        """Forecast by the rule."""
        return Forecasts(origins, naive.RULES[self.name](panel.target, origins, self.horizon, self.season))

    def state(self) -> Mapping[str, FloatArray]:
        """Nothing is left by fitting."""
        return {}


@dataclass(frozen=True, slots=True)
class Plain:
    """Any function as a method: `predict(known, panel, origins)` forecasts from what was known at fitting."""

    name: str
    horizon: int
    predict: Callable[[SeriesPanel, SeriesPanel, IntArray], FloatArray]
    """Gives (S, O, H)."""

    def fit(self, panel: SeriesPanel, seed: int, before: Fitted | None) -> "PlainFit":
        """Keep the panel."""
        del seed, before
        return PlainFit(self, panel)


@dataclass(frozen=True, slots=True)
class PlainFit:
    """A plain function and what it was fitted on."""

    method: Plain
    known: SeriesPanel

    def forecast(self, panel: SeriesPanel, origins: IntArray) -> Forecasts:
        """Forecast by the function."""
        return Forecasts(origins, self.method.predict(self.known, panel, origins))

    def state(self) -> Mapping[str, FloatArray]:
        """Nothing is left by fitting but the panel itself."""
        return {}
