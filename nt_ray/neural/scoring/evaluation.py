"""Walk-forward: fit on the past, forecast what follows, move on; every forecast is out of sample.

A method is handed the training rows and nothing else, so what it fits cannot know the test rows. Test rows belong to
targets: an origin is the row before the first row it forecasts. `purge` leaves out training rows whose labels reach
into the test (targets that are themselves made of several rows), `embargo` further ones for memory across the border.
It does not know how forecasts are scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nt_ray.backtest.research.splits import Split, walk_forward_splits
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.method import Fitted, Forecasts, Method
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.types import IntArray

Refit = Literal["fold", "warm", "once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How an evaluation walks forward; lengths in rows of the panel."""

    train: int
    """Rows of the first training window, of every one where it rolls."""
    test: int
    """Rows of targets that one fit forecasts."""
    anchored: bool = True
    """The training window starts at row 0 and grows; otherwise it rolls."""
    purge: int = 0
    embargo: int = 0
    stride: int = 1
    """Rows from one origin to the next."""
    refit: Refit = "fold"
    """Fit each window from scratch, from the weights of the one before ("warm"), or the first one alone."""
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.stride < 1 or not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise NeuralError(
                f"stride={self.stride} with seeds {self.seeds} cannot be evaluated. "
                "Use a stride of at least 1, and each seed once."
            )

    def splits(self, rows: int) -> list[Split]:
        """Rows of each fold."""
        walk = walk_forward_splits(
            rows, self.train, self.test, anchored=self.anchored, purge=self.purge, embargo=self.embargo
        )
        return list(walk)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """What a method forecast out of sample, once for each seed, all from the same origins."""

    name: str
    seeds: tuple[int, ...]
    forecasts: tuple[Forecasts, ...]

    @property
    def origins(self) -> IntArray:
        """(O,) rows."""
        return self.forecasts[0].origins


def walk_forward(panel: SeriesPanel, method: Method, plan: Plan) -> Walk:
    """Forecast all test rows of a plan.

    Every origin lies in one fold; a forecast may reach into the next, whose fit comes later. Origins whose horizon ends
    beyond the panel are left out.
    """
    folds = fold_origins(len(panel), method.horizon, plan)
    made = [Forecasts.joined(_one_seed(panel, method, plan, folds, seed)) for seed in plan.seeds]
    return Walk(method.name, plan.seeds, tuple(made))


def fold_origins(rows: int, horizon: int, plan: Plan) -> list[tuple[Split, IntArray]]:
    """Origins of each fold of a plan; folds without a whole horizon are left out."""
    folds = []
    start: int | None = None
    for split in plan.splits(rows):
        # The origin of the first test row is the row before it, which is known by then.
        first, after = int(split.test[0]) - 1, min(int(split.test[-1]), rows - horizon)
        start = first if start is None else start
        origins = np.arange(first, after, dtype=np.int64)
        origins = origins[(origins - start) % plan.stride == 0]
        if len(origins):
            folds.append((split, origins))
    if not folds:
        raise NeuralError(
            f"{rows} rows leave no origin after {plan.train} training rows with {horizon} rows to forecast. "
            "Use a shorter training window or horizon, or more data."
        )
    return folds


def _one_seed(
    panel: SeriesPanel, method: Method, plan: Plan, folds: Sequence[tuple[Split, IntArray]], seed: int
) -> list[Forecasts]:
    parts: list[Forecasts] = []
    fitted: Fitted | None = None
    for split, origins in folds:
        if fitted is None or plan.refit != "once":
            known = panel.rows(int(split.train[0]), int(split.train[-1]) + 1)
            fitted = method.fit(known, seed, fitted if plan.refit == "warm" else None)
        parts.append(fitted.forecast(panel, origins))
    return parts
