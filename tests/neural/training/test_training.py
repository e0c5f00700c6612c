import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nt_ray.neural.inference.predictor import predict_windows
from nt_ray.neural.models.base import Forecaster
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import Progress, Training, train

Maker = Callable[..., Forecaster]


def weights(trained: Trained) -> list[torch.Tensor]:
    return list(trained.network.state_dict().values())


def same(a: Trained, b: Trained) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_training_learns_what_there_is_to_learn(waves: SeriesPanel, recipe: Recipe) -> None:
    recipe = recipe.model_copy(update={"steps": 400, "validate_every": 100})
    trained = train(waves, recipe)
    origins = np.arange(260, 295)
    mean, _ = predict_windows(trained, waves, origins)
    truth = np.stack([waves.target[:, o + 1 : o + 5] for o in origins], axis=1)
    naive = waves.target[:, origins, None]
    assert np.mean((mean - truth) ** 2) < 0.5 * np.mean((naive - truth) ** 2)
    assert len(trained.losses) == trained.step == 400
    assert [step for step, _ in trained.validations] == [100, 200, 300, 400]
    assert trained.losses[-20:].mean() < 0.5 * trained.losses[:20].mean()


@pytest.mark.parametrize("stop", [1, 20, 37])
def test_a_run_stopped_anywhere_and_resumed_ends_with_the_same_bits(
    waves: SeriesPanel, recipe: Recipe, straight: Maker, tmp_path: Path, stop: int
) -> None:
    recipe = recipe.model_copy(update={"schedule": "one_cycle", "clip": 0.1, "weight_decay": 0.01})
    whole = train(waves, recipe, network=straight(recipe, 0.3))
    train(waves, recipe, network=straight(recipe, 0.3), until=stop, checkpoint=tmp_path / "state")
    torch.manual_seed(stop)
    resumed = train(waves, recipe, network=straight(recipe, 0.3), resume=tmp_path / "state")
    assert same(whole, resumed)
    np.testing.assert_array_equal(whole.losses, resumed.losses)
    assert whole.validations == resumed.validations
    assert (whole.best, whole.step) == (resumed.best, resumed.step)


RESUME = """
import sys
import numpy as np
from pathlib import Path
from nt_ray.neural.inference.bundle import save_bundle
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train
folder = Path(sys.argv[1])
held = np.load(folder / "panel.npz")
panel = SeriesPanel(("a", "b", "c"), held["times"], held["target"])
recipe = Recipe.model_validate_json((folder / "recipe.json").read_text())
save_bundle(train(panel, recipe, resume=folder / "state"), folder / "bundle")
"""


def test_another_process_resumes_to_the_same_bits(waves: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.model_copy(
        update={"model": "tcn", "parameters": {"dropout": 0.2}, "steps": 24, "validate_every": 6}
    )
    whole = train(waves, recipe)
    train(waves, recipe, until=11, checkpoint=tmp_path / "state")
    np.savez(tmp_path / "panel.npz", times=waves.times, target=waves.target)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json(), encoding="utf-8")
    subprocess.run([sys.executable, "-c", RESUME, str(tmp_path)], check=True, timeout=120)
    from nt_ray.neural.inference.bundle import load_bundle

    assert same(whole, load_bundle(tmp_path / "bundle"))


def test_equal_recipes_train_alike_and_other_seeds_do_not(waves: SeriesPanel, recipe: Recipe) -> None:
    first = train(waves, recipe)
    torch.rand(7)
    assert same(first, train(waves, recipe))
    assert not same(first, train(waves, recipe.model_copy(update={"seed": 1})))


def test_training_leaves_the_global_random_state_alone(waves: SeriesPanel, recipe: Recipe, straight: Maker) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(waves, recipe, network=straight(recipe, 0.5))
    assert torch.equal(torch.rand(3), expected)


def test_trainings_in_several_threads_draw_as_each_alone(waves: SeriesPanel, recipe: Recipe) -> None:
    recipes = [
        recipe.model_copy(update={"model": "tcn", "parameters": {"dropout": 0.3}, "steps": 60, "seed": seed})
        for seed in range(4)
    ]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda one: train(waves, one), recipes))
    for found, one in zip(together, recipes, strict=True):
        assert same(found, train(waves, one))


def test_the_future_of_the_training_rows_does_not_reach_the_weights(waves: SeriesPanel, recipe: Recipe) -> None:
    recipe = recipe.model_copy(update={"validate_every": 0, "scaling": "fold", "head": "mae"})
    one = train(waves.rows(0, 240), recipe)
    shock = waves.target.copy()
    shock[:, 240:] = 1e6
    two = train(replace(waves, target=shock).rows(0, 240), recipe)
    assert same(one, two)
    # Validation rows choose the step that is kept, but train nothing: the losses stay what they were.
    held = recipe.model_copy(update={"validate_every": 20})
    np.testing.assert_array_equal(train(waves, held).losses, train(replace(waves, target=shock), held).losses)


def test_patience_ends_a_run_and_the_best_weights_are_kept(waves: SeriesPanel, recipe: Recipe, straight: Maker) -> None:
    recipe = recipe.model_copy(update={"steps": 1000, "lr": 1.0, "patience": 3, "validate_every": 5, "clip": 0.0})
    run = Training(waves, recipe, network=straight(recipe))
    run.run()
    trained = run.result()
    losses = dict(trained.validations)
    assert trained.step < 1000
    assert losses[trained.best] == min(losses.values())
    assert trained.step == trained.best + 3 * 5


def test_progress_is_heard_at_readings(waves: SeriesPanel, recipe: Recipe) -> None:
    heard: list[Progress] = []
    train(waves, recipe.model_copy(update={"steps": 120, "validate_every": 50}), on_step=heard.append)
    assert [progress.step for progress in heard] == [50, 100, 120]
    assert all(np.isfinite(progress.loss) and progress.validation is not None for progress in heard)


def test_a_loss_that_is_no_number_names_its_step_and_the_remedy(
    waves: SeriesPanel, recipe: Recipe, straight: Maker
) -> None:
    network = straight(recipe)
    run = Training(waves, recipe, network=network)
    for step in range(recipe.steps):
        if step == 7:
            with torch.no_grad():
                next(network.parameters()).fill_(torch.nan)
        if step == 19:
            break
        run.advance()
    with pytest.raises(NeuralError, match=r"loss is nan at step 7. Lower lr"):
        run.advance()


def test_bf16_trains_to_a_like_loss(waves: SeriesPanel, recipe: Recipe) -> None:
    full, half = (train(waves, recipe.model_copy(update={"precision": p})) for p in ("fp32", "bf16"))
    assert not same(full, half)
    assert half.validations[-1][1] == pytest.approx(full.validations[-1][1], rel=0.1)
    assert next(half.network.parameters()).dtype == torch.float32


def test_missing_values_and_inputs_train(gappy: SeriesPanel, recipe: Recipe) -> None:
    trained = train(gappy, recipe.model_copy(update={"model": "gru", "parameters": {}, "steps": 20}))
    assert np.isfinite(trained.losses).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lookback": 240}, "240 of 300 rows train, and a window takes 240 \\+ 4 = 244"),
        ({"validation": 0.01}, "3 validation rows hold no window"),
        ({"model": "rliner"}, "did you mean 'rlinear'"),
        ({"parameters": {"depth": 3}}, "depth"),
    ],
)
def test_recipes_that_do_not_fit_the_panel_are_refused(
    waves: SeriesPanel, recipe: Recipe, change: dict[str, object], words: str
) -> None:
    with pytest.raises(NeuralError, match=words):
        train(waves, recipe.model_copy(update=change))


def test_series_with_nothing_to_learn_are_refused_or_left_out(waves: SeriesPanel, recipe: Recipe) -> None:
    constant, short = waves.target.copy(), waves.target.copy()
    constant[1] = 3.0
    short[2, :239] = np.nan
    for target, words in ((constant, "'b' is 3 in every training row"), (short, "'c' has 1 values")):
        panel = replace(waves, target=target)
        with pytest.raises(NeuralError, match=f"{words}.*unfit = 'skip'"):
            train(panel, recipe)
        trained = train(panel, recipe.model_copy(update={"unfit": "skip"}))
        assert np.isfinite(trained.losses).all()
    nothing = replace(waves, target=np.full((3, 300), 2.0))
    with pytest.raises(NeuralError, match="No window of 12 \\+ 4 rows"):
        train(nothing, recipe.model_copy(update={"unfit": "skip"}))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused_before_anything_starts(waves: SeriesPanel, recipe: Recipe) -> None:
    with pytest.raises(NeuralError, match=r"0 GPUs. Use device = 'cpu' or 'auto'"):
        train(waves, recipe, device="cuda")


def test_recipes_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValueError, match="lookbak"):
        Recipe.model_validate({"model": "rlinear", "lookbak": 3})
    with pytest.raises(ValueError, match="do not increase"):
        Recipe(model="rlinear", levels=(0.5, 0.1))
    with pytest.raises(ValueError, match="patience needs validation"):
        Recipe(model="rlinear", patience=3, validate_every=0)
    with pytest.raises(ValueError, match="warmup = 5"):
        Recipe(model="rlinear", steps=5, warmup=5)
