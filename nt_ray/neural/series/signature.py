"""What a trained network takes and gives: checked before every forecast, kept in every bundle."""

from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel, unknown
from nt_ray.neural.training.recipe import Recipe

KINDS: Final = ("target", "past", "future", "static")


class Signature(BaseModel):
    """Inputs by name and order, rows back and ahead, spacing of the rows, and the scale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lookback: int
    horizon: int
    frequency: str
    scaling: str
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    """Kinds of values, of target, past, future and static, of which some were missing in training."""

    def check(self, panel: SeriesPanel) -> None:
        """Refuse a panel of other inputs or of another frequency."""
        for kind, wanted, given in (
            ("past input", self.past, panel.past_names),
            ("future input", self.future, panel.future_names),
            ("static input", self.static, panel.static_names),
        ):
            for name in given:
                if name not in wanted:
                    raise NeuralError(unknown(kind, name, wanted) + " The model was trained without it: leave it out.")
            if given != wanted:
                raise NeuralError(
                    f"The model was trained on the {kind}s {list(wanted)}, not on {list(given)}. "
                    "Give the same in this order."
                )
        if self.frequency and panel.frequency and panel.frequency != self.frequency:
            raise NeuralError(
                f"The model was trained on rows of {self.frequency}, and these are {panel.frequency} apart. "
                f"Give rows of {self.frequency}, or train a model for {panel.frequency}."
            )


def signature_of(panel: SeriesPanel, recipe: Recipe) -> Signature:
    """Signature of a network trained on a panel."""
    return Signature(
        lookback=recipe.lookback,
        horizon=recipe.horizon,
        frequency=panel.frequency,
        scaling=recipe.scaling,
        past=panel.past_names,
        future=panel.future_names,
        static=panel.static_names,
        gaps=gaps_of(panel),
    )


def gaps_of(panel: SeriesPanel) -> tuple[str, ...]:
    """Kinds of values of which some are missing."""
    return tuple(kind for kind in KINDS if np.isnan(getattr(panel, kind)).any())
