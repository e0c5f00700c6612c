import pytest

from nt_ray.config.sections import Training
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.choice import label_of, panel_of, recipe_of, workers_of
from nt_ray.neural.training.recipe import Recipe


def test_settings_become_a_recipe() -> None:
    made = recipe_of(Training(lookback=10, lr=0.5, patience=3), "DLinear", {"kernel": 5}, seed=4)
    assert (made.model, made.lookback, made.lr, made.patience, made.seed) == ("dlinear", 10, 0.5, 3, 4)
    assert made.parameters == {"kernel": 5.0}


def test_every_setting_of_training_that_a_recipe_has_may_have_the_same_values() -> None:
    shared = Recipe.model_fields.keys() & Training.model_fields.keys()
    assert len(shared) >= 17
    for name in shared:
        ours, theirs = Training.model_fields[name], Recipe.model_fields[name]
        assert str(ours.annotation).replace("typing.", "") == str(theirs.annotation).replace("typing.", ""), name


def test_what_does_not_fit_together_is_refused_with_a_sentence() -> None:
    with pytest.raises(NeuralError, match=r"^neural.training: patience needs validation"):
        recipe_of(Training(patience=1, validation=0.0), "dlinear", {}, 0)


@pytest.mark.parametrize(("text", "workers"), [("0", (0, 0)), ("3", (3, 3)), ("2:4", (2, 4))])
def test_workers_are_a_number_or_a_range(text: str, workers: tuple[int, int]) -> None:
    assert workers_of(Training(workers=text)) == workers


def test_the_same_training_has_the_same_label_whoever_names_it(waves: SeriesPanel, recipe: Recipe) -> None:
    label = label_of(waves, recipe)
    assert label.startswith("train-rlinear-")
    assert label == label_of(waves, recipe.model_copy())
    others = {label_of(waves, recipe.model_copy(update={"seed": 1})), label_of(waves.select(["a"]), recipe)}
    assert len({label, *others}) == 3


def test_the_target_chooses_what_of_the_bars_is_forecast() -> None:
    import numpy as np

    from nt_ray.market.source import load_panel

    bars = load_panel("sp500", symbols=["KO"])
    close, returns = (panel_of(bars, Training(target=t)).target[0] for t in ("close", "returns"))
    np.testing.assert_allclose(returns[1:], np.diff(np.log(close)), atol=1e-12)
