import pytest
import torch

from nt_ray.neural.models import registry
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.signature import signature_of
from nt_ray.neural.training.building import build_head, build_network
from nt_ray.neural.training.recipe import Recipe

HEADS = [("mse", 1), ("mae", 1), ("huber", 1), ("quantile", 4), ("student_t", 3)]


def weights(recipe: Recipe, panel: SeriesPanel) -> torch.Tensor:
    network = build_network(recipe, signature_of(panel, recipe), build_head(recipe).width)
    return torch.cat([tensor.flatten() for tensor in network.state_dict().values()])


def test_weights_follow_from_the_seed_alone_and_the_global_state_is_left(waves: SeriesPanel, recipe: Recipe) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = weights(recipe, waves)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(weights(recipe, waves), first)
    assert not torch.equal(weights(recipe.model_copy(update={"seed": 1}), waves), first)


# A quantile head forecasts its mean beside three levels; Student's t has location, scale and degrees of freedom.
@pytest.mark.parametrize(("head", "width"), HEADS)
def test_a_head_gets_as_many_outputs_as_it_takes(waves: SeriesPanel, recipe: Recipe, head: str, width: int) -> None:
    recipe = recipe.model_copy(update={"head": head, "levels": (0.1, 0.5, 0.9)})
    found = build_head(recipe)
    assert found.width == width
    assert build_network(recipe, signature_of(waves, recipe), found.width).shape.outputs == width


def test_the_network_has_the_sizes_of_the_panel(gappy: SeriesPanel, recipe: Recipe) -> None:
    wide = next(model.name for model in registry.every() if {"past", "future", "static"} <= set(model.inputs))
    shape = build_network(recipe.model_copy(update={"model": wide}), signature_of(gappy, recipe), 1).shape
    assert (shape.lookback, shape.horizon) == (12, 4)
    assert (shape.past, shape.future, shape.static) == (2, 1, 2)


def test_inputs_and_parameters_that_the_network_does_not_take_are_refused(
    gappy: SeriesPanel, waves: SeriesPanel, recipe: Recipe
) -> None:
    narrow = next(model.name for model in registry.every() if "past" not in model.inputs)
    with pytest.raises(NeuralError, match="takes no past inputs, and 2 are given"):
        build_network(recipe.model_copy(update={"model": narrow}), signature_of(gappy, recipe), 1)
    with pytest.raises(NeuralError, match="kernal"):
        build_network(recipe.model_copy(update={"parameters": {"kernal": 3.0}}), signature_of(waves, recipe), 1)
