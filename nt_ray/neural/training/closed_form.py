"""Weights of the linear network in closed form: ridge regression in place of the training loop, for `rlinear`.

    W = argmin  mean_i |y_i - W x_i|² / v_i + penalty · g · |W|²

over the training windows i, where x and y are the look-back and what followed it, both less the mean of the look-back,
v the variance of its last `recent` bars, and g the mean of x² / v. So windows count alike whatever their spread, and a
penalty of 1 weighs as much as the mean direction of the look-back. The bias stays 0: a look-back without shape is
forecast to keep its mean. Nothing is drawn at random, so a seed changes nothing. Windows with a gap in their horizon
are left out.

Sources: Hoerl and Kennard (1970), Ridge regression; Toner and Darlow (2024), An analysis of linear time series
forecasting models, ICML, for the closed form; Huang, Xu and Darlow (2026), How good can linear models be for
time-series forecasting?, for a spread measured over the last part of the look-back.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from nt_ray.neural.models.inputs import filled
from nt_ray.neural.models.registry import find
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.step import Task

FLOOR: Final = 0.01
"""Least variance of a window, as a share of the mean one: a flat look-back does not outweigh all others."""
_CHUNK: Final = 2048

Weights = dict[str, Tensor]


def solutions(task: Task, penalties: Sequence[float], recent: int | None = None) -> Iterator[Weights]:
    """Weights of the network of a task for each penalty, on the windows that would train it.

    `recent` are bars at the end of the look-back whose variance weighs a window; all where None.
    """
    check_solvable(task.recipe, penalties, recent)
    lookback = task.recipe.lookback
    gram, cross = _moments(task, recent or lookback)
    one, unit = torch.eye(lookback, dtype=torch.float64), gram.diagonal().mean()
    if not unit > 0:
        raise NeuralError("No training window without gaps in its horizon moves. Give fuller series.")
    for penalty in penalties:
        weights = torch.linalg.solve(gram + penalty * unit * one, cross)
        yield {"linear.weight": weights.t().float(), "linear.bias": torch.zeros(weights.shape[1])}


def check_solvable(recipe: Recipe, penalties: Sequence[float], recent: int | None = None) -> None:
    """Refuse what has no closed form."""
    if find(recipe.model).name != "rlinear" or recipe.head != "mse":
        raise NeuralError(
            f"{recipe.model} with the head {recipe.head} has no closed form here. Use rlinear with mse, or train it."
        )
    for penalty in penalties:
        if not 0.0 < penalty < float("inf"):
            raise NeuralError(f"penalty={penalty} leaves the weights undetermined. Use a number above 0.")
    if recent is not None and not 1 < recent <= recipe.lookback:
        raise NeuralError(f"recent={recent} is no part of {recipe.lookback} bars. Use 2 to {recipe.lookback}.")


def _moments(task: Task, recent: int) -> tuple[Tensor, Tensor]:
    """Second moments of look-backs (L, L), and of look-backs with what followed (L, H), float64, windows weighed."""
    lookback, horizon = task.recipe.lookback, task.recipe.horizon
    spreads = [past[:, -recent:].var(dim=1, correction=0) for past, _ in _centred(task)]
    floor = FLOOR * torch.cat(spreads).mean()
    gram = torch.zeros(lookback, lookback, dtype=torch.float64)
    cross = torch.zeros(lookback, horizon, dtype=torch.float64)
    for spread, (past, ahead) in zip(spreads, _centred(task), strict=True):
        # A panel that never moves has no weight to give, and is refused by the caller.
        weighed = past.t() * (1.0 / (spread + floor)).nan_to_num(posinf=0.0)
        gram += weighed @ past
        cross += weighed @ ahead
    return gram, cross


def _centred(task: Task) -> Iterator[tuple[Tensor, Tensor]]:
    """Look-backs (N, L) and what followed them (N, H), less the look-back's mean, float64 on the host, by chunks."""
    for places in torch.split(torch.arange(task.windows.count, device=task.device), _CHUNK):
        cut = task.data.windows(*task.windows.locate(places))
        past = filled(cut.batch.target, cut.batch.mask).double()
        whole = cut.truth.mask.amin(dim=1) > 0
        level = past.mean(dim=1, keepdim=True)
        yield (past - level)[whole].cpu(), (cut.truth.target.double() - level)[whole].cpu()
