from pathlib import Path

import pytest
import torch

from nt_ray.backtest.search.space import Choice, Span
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.search import Stage, changed, lineage, parse_model_space, staged, trained_through
from nt_ray.neural.training.training import Training, train


def weights(run: Training) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in run.task.network.parameters()])


def test_a_space_holds_values_of_the_training_and_of_the_network(recipe: Recipe) -> None:
    base = recipe.model_copy(update={"model": "dlinear"})
    space = parse_model_space(base, ["lr=1e-4:1e-2:log", "batch=8:32", "kernel=3,5"])
    assert space.domains == {"lr": Span(1e-4, 1e-2, log=True), "batch": Span(8, 32, True), "kernel": Choice((3.0, 5.0))}
    for number in range(20):
        values = space.sample(7, number)
        assert space.sample(7, number) == values == space.nearest(values)
        made = space.recipe(values)
        assert (made.lr, made.batch) == (values["lr"], int(values["batch"]))
        assert made.parameters["kernel"] in (3.0, 5.0)
        assert made.model_copy(update={"lr": base.lr, "batch": base.batch, "parameters": {}}) == base


def test_without_parameters_the_learning_rate_is_searched(recipe: Recipe) -> None:
    assert set(parse_model_space(recipe, []).domains) == {"lr", "weight_decay"}


def test_a_closed_form_is_searched_by_its_penalty_and_look_back_alone(waves: SeriesPanel, recipe: Recipe) -> None:
    base = recipe.model_copy(update={"model": "rlinear", "head": "mse", "solver": "ridge", "penalties": (0.5, 2.0)})
    assert set(parse_model_space(base, []).domains) == {"penalty"}
    space = parse_model_space(base, ["penalty=1e-2:1e2:log", "lookback=6,12"])
    made = space.recipe({"penalty": 3.0, "lookback": 6.0})
    assert made == base.model_copy(update={"penalties": (3.0,), "lookback": 6})
    # A look-back that is searched alone leaves the choice of the penalty to each candidate's validation.
    assert parse_model_space(base, ["lookback=6,12"]).recipe({"lookback": 6.0}).penalties == (0.5, 2.0)
    run = trained_through(waves, space, [Stage({"penalty": 3.0, "lookback": 6.0}, base.steps)])
    assert torch.equal(run.result().network.linear.weight, train(waves, made).network.linear.weight)
    for text, words in (("lr=1e-4:1e-2", "solved in closed form"), ("dropout=0:0.5", "solved in closed form")):
        with pytest.raises(NeuralError, match=words):
            parse_model_space(base, [text])
    with pytest.raises(NeuralError, match="dlinear with the head mse has no closed form"):
        parse_model_space(base.model_copy(update={"model": "dlinear"}), ["penalty=1:2"])


@pytest.mark.parametrize(
    ("text", "words"), [("rl=1:2", "did you mean 'lr'"), ("lr=0:1", "out of range"), ("batch=0:4", "out of range")]
)
def test_a_space_that_is_none_is_refused(recipe: Recipe, text: str, words: str) -> None:
    with pytest.raises(NeuralError, match=words):
        parse_model_space(recipe, [text])


def test_stages_of_the_same_values_are_one_training(waves: SeriesPanel, recipe: Recipe) -> None:
    space = parse_model_space(recipe, ["lr=1e-4:1e-1"])
    values = {"lr": 0.02}
    run = trained_through(waves, space, [Stage(values, 20), Stage(values, 41), Stage(values, 60)])
    once = train(waves, space.recipe(values))
    assert torch.equal(run.result().network.linear.weight, once.network.linear.weight)


def test_a_candidate_that_changed_its_values_is_trained_again_to_the_same_bits(
    waves: SeriesPanel, recipe: Recipe, tmp_path: Path
) -> None:
    space = parse_model_space(recipe, ["lr=1e-4:1e-1", "weight_decay=0:1"])
    first, second = {"lr": 0.02, "weight_decay": 0.0}, {"lr": 0.001, "weight_decay": 0.5}
    run = trained_through(waves, space, [Stage(first, 20)])
    run.save(tmp_path / "state")
    went_on = changed(waves, space, tmp_path / "state", second)
    went_on.run(until=60)
    again = trained_through(waves, space, [Stage(first, 20), Stage(second, 60)])
    assert torch.equal(weights(went_on), weights(again))
    assert not torch.equal(weights(again), weights(trained_through(waves, space, [Stage(first, 60)])))
    with pytest.raises(NeuralError, match="other lr, weight_decay"):
        Training(waves, space.recipe(second)).load(tmp_path / "state")


def test_only_values_that_were_others_before_make_another_candidate() -> None:
    one, two = {"lr": 0.1}, {"lr": 0.2}
    assert lineage([], one) == lineage([Stage(one, 10), Stage(one, 20)], one) == 0
    assert lineage([Stage(one, 10)], two) == lineage([Stage(dict(one), 10)], two) > 0
    assert lineage([Stage(one, 10)], two) != lineage([Stage(one, 20)], two)


def test_a_search_needs_something_to_choose_by(recipe: Recipe) -> None:
    space = parse_model_space(recipe.model_copy(update={"validation": 0.0}), [])
    with pytest.raises(NeuralError, match="chooses by validation"):
        staged(space, (10,), 10)
    warm = parse_model_space(recipe.model_copy(update={"warmup": 30}), [])
    with pytest.raises(NeuralError, match="too few to search"):
        staged(warm, (10,), 10)
