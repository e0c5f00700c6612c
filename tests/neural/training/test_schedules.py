import pytest
import torch

from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.schedules import rate


def course(recipe: Recipe, windows: int = 1000) -> list[float]:
    return [rate(recipe, step, windows) for step in range(recipe.steps)]


def of_torch(name: str, steps: int, **settings: float) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = getattr(torch.optim.lr_scheduler, name)(optimiser, **settings)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return rates


def test_cosine_is_torchs() -> None:
    recipe = Recipe(model="x", steps=50, lr=0.1, schedule="cosine")
    assert course(recipe) == pytest.approx(of_torch("CosineAnnealingLR", 50, T_max=50))


def test_one_cycle_is_torchs() -> None:
    # torch's last step is its cycle's end, which lies one step later here; both rise for 15 steps.
    recipe = Recipe(model="x", steps=50, lr=0.1, schedule="one_cycle")
    theirs = of_torch("OneCycleLR", 51, max_lr=0.1, total_steps=51, pct_start=16 / 51)
    assert course(recipe) == pytest.approx(theirs[:50], rel=1e-9)


def test_halving_keeps_the_rate_for_two_passes_and_halves_it_for_each_after() -> None:
    recipe = Recipe(model="x", steps=50, lr=0.8, batch=100, schedule="halving")
    assert course(recipe) == pytest.approx([0.8] * 20 + [0.4] * 10 + [0.2] * 10 + [0.1] * 10)


def test_warm_up_grows_from_nothing_and_then_leaves_the_course_alone() -> None:
    recipe = Recipe(model="x", steps=14, warmup=4, lr=1.0)
    assert course(recipe) == pytest.approx([0.25, 0.5, 0.75] + [1.0] * 11)
    cosine = course(recipe.model_copy(update={"schedule": "cosine"}))
    assert cosine[4:] == pytest.approx(of_torch_cosine_of_ten())


def of_torch_cosine_of_ten() -> list[float]:
    return [10 * r for r in of_torch("CosineAnnealingLR", 10, T_max=10)]
