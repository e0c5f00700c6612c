"""Networks in closed form for several penalties at once (`closed_form`), without a run around them."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.closed_form import Weights, check_solvable, solutions
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import Training


def fit_ridge(
    panel: SeriesPanel, recipe: Recipe, penalties: Sequence[float], recent: int | None = None
) -> list[Trained]:
    """Solve an `rlinear` with the head `mse` for each penalty, each above 0, on the windows that would train it.

    `recent` are bars at the end of the look-back whose variance weighs a window; all where None.
    """
    check_solvable(recipe, penalties, recent)
    run = Training(panel, recipe)
    found = list(solutions(run.task, penalties, recent))
    trained = run.result()
    return [_with(trained, weights) for weights in found]


def _with(trained: Trained, weights: Weights) -> Trained:
    """The same with these weights."""
    network = deepcopy(trained.network)
    network.load_state_dict(weights)
    return replace(trained, network=network)
