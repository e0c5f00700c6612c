"""A recipe as a method that an evaluation walks forward: trained on the rows it is given, from a seed."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nt_ray.neural.inference.predictor import predict_windows
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.method import Fitted, Forecasts
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import train
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Network:
    """A recipe under a name. `levels` are the quantiles it forecasts, for heads that have them."""

    name: str
    recipe: Recipe
    levels: tuple[float, ...] = ()
    device: str = "cpu"

    @property
    def horizon(self) -> int:
        """Steps ahead it forecasts."""
        return self.recipe.horizon

    def fit(self, panel: SeriesPanel, seed: int, before: Fitted | None) -> "NetworkFit":
        """Train on all rows of a panel, from the weights of an earlier fit where there is one."""
        start = None
        if before is not None:
            if not isinstance(before, NetworkFit):
                raise NeuralError(f"{self.name} cannot start from another method's fit. Start from one of its own.")
            # The earlier fit keeps its weights.
            start = copy.deepcopy(before.trained.network)
        recipe = self.recipe.model_copy(update={"seed": seed})
        return NetworkFit(train(panel, recipe, device=self.device, network=start), self.levels)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkFit:
    """A trained network as the evaluation sees it."""

    trained: Trained
    levels: tuple[float, ...] = ()

    def forecast(self, panel: SeriesPanel, origins: IntArray) -> Forecasts:
        """Forecast from origins; NaN where too little of a look-back was observed."""
        mean, quantiles = predict_windows(self.trained, panel, origins, self.levels)
        return Forecasts(origins, mean, self.levels, quantiles if self.levels else None)

    def state(self) -> Mapping[str, FloatArray]:
        """Weights and frozen scales."""
        scaler = self.trained.scaler
        named = {
            f"weights {name}": values.detach().cpu().double().numpy()
            for name, values in self.trained.network.state_dict().items()
        }
        scales = {"location": scaler.location, "scale": scaler.scale, "past": scaler.past, "future": scaler.future}
        return named | {f"scaler {name}": np.asarray(values, dtype=np.float64) for name, values in scales.items()}
