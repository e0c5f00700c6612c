"""Learning rate as a function of the step: nothing is remembered, so a resumed run goes on where it was."""

import math
from collections.abc import Callable
from typing import Final

from nt_ray.neural.training.recipe import Recipe

START: Final = 1 / 25
END: Final = 1e-4
RISE: Final = 0.3
"""One cycle rises from `START` of the rate over `RISE` of the steps and falls to `START`·`END` of it."""


def rate(recipe: Recipe, step: int, windows: int) -> float:
    """Learning rate of a step (from 0) of a run that has `windows` training windows."""
    grown = min(1.0, (step + 1) / recipe.warmup) if recipe.warmup else 1.0
    share = (step - recipe.warmup) / (recipe.steps - recipe.warmup)
    epoch = step * recipe.batch // windows
    return recipe.lr * grown * _COURSES[recipe.schedule](max(0.0, share), epoch)


def _cosine(share: float, epoch: int) -> float:
    del epoch
    return (1 + math.cos(math.pi * share)) / 2


def _halving(share: float, epoch: int) -> float:
    """Rule "type1" of the long-horizon protocol: two passes at the full rate, then half of it for each."""
    del share
    return float(0.5 ** max(0, epoch - 1))


def _one_cycle(share: float, epoch: int) -> float:
    """Super-convergence (Smith & Topin, 2018), with cosines up and down."""
    if share < RISE:
        return _between(START, 1.0, share / RISE)
    return _between(1.0, START * END, (share - RISE) / (1 - RISE))


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


_COURSES: Final[dict[str, Callable[[float, int], float]]] = {
    "constant": lambda share, epoch: 1.0,
    "cosine": _cosine,
    "halving": _halving,
    "one_cycle": _one_cycle,
}
