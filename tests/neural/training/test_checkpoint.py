import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import Training, train


@pytest.fixture
def state(waves: SeriesPanel, recipe: Recipe, tmp_path: Path) -> Path:
    train(waves, recipe, until=25, checkpoint=tmp_path / "state")
    return tmp_path / "state"


def test_the_state_beside_weights_and_moments_is_one_integer_and_the_best_so_far(state: Path) -> None:
    text = json.loads((state / "state.json").read_text(encoding="utf-8"))
    assert text["step"] == 25
    assert set(text) == {"format", "step", "recipe", "data", "best", "validations"}
    assert sorted(path.name for path in state.iterdir()) == ["state.json", "state.safetensors"]


def test_a_checkpoint_of_another_recipe_or_other_data_is_refused(
    waves: SeriesPanel, recipe: Recipe, state: Path
) -> None:
    with pytest.raises(NeuralError, match=r"recipe with other lr, seed\. Resume with the same recipe"):
        train(waves, recipe.model_copy(update={"lr": 0.5, "seed": 3}), resume=state)
    with pytest.raises(NeuralError, match="trained on other data"):
        train(replace(waves, target=waves.target + 1), recipe, resume=state)


def test_what_is_no_checkpoint_is_refused(waves: SeriesPanel, recipe: Recipe, state: Path, tmp_path: Path) -> None:
    with pytest.raises(NeuralError, match="is not there"):
        train(waves, recipe, resume=tmp_path / "none")
    text = json.loads((state / "state.json").read_text(encoding="utf-8"))
    (state / "state.json").write_text(json.dumps(text | {"format": "x"}), encoding="utf-8")
    with pytest.raises(NeuralError, match="has the format 'x'"):
        train(waves, recipe, resume=state)


def test_a_refused_checkpoint_changes_nothing(waves: SeriesPanel, recipe: Recipe, state: Path) -> None:
    run = Training(waves, recipe)
    before = {name: tensor.clone() for name, tensor in run.task.network.state_dict().items()}
    path = state / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(NeuralError, match="cut short or damaged"):
        run.load(state)
    assert all(np.array_equal(before[n], t) for n, t in run.task.network.state_dict().items())
    assert run.step == 0


def test_a_finished_run_has_nothing_left_to_do(waves: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    whole = train(waves, recipe, checkpoint=tmp_path / "state")
    again = train(waves, recipe, resume=tmp_path / "state")
    assert again.step == whole.step
    np.testing.assert_array_equal(again.losses, whole.losses)
