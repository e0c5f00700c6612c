import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train

# Lightning asks torch about its trees in a way that torch announces to end.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


@pytest.fixture(scope="module")
def lightning() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytorch_lightning
    return pytorch_lightning


def fit(lightning: Any, module: Any) -> Any:
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module)
    return trainer


def test_lightning_trains_to_the_bits_of_the_plain_loop(
    lightning: Any, waves: SeriesPanel, recipe: Recipe, tmp_path: Path
) -> None:
    from nt_ray.neural.training.module import TrainingModule

    recipe = recipe.model_copy(update={"model": "tcn", "parameters": {"dropout": 0.1}, "steps": 50})
    plain = train(waves, recipe)
    module = TrainingModule(waves, recipe)
    trainer = fit(lightning, module)
    fitted = module.run.result()
    ours, theirs = plain.network.state_dict(), fitted.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    np.testing.assert_array_equal(plain.losses, fitted.losses)
    assert float(trainer.callback_metrics["train_loss"]) == pytest.approx(float(plain.losses[-1]))

    train(waves, recipe, until=33, checkpoint=tmp_path / "state")
    resumed = TrainingModule(waves, recipe, resume=tmp_path / "state")
    fit(lightning, resumed)
    assert all(torch.equal(ours[name], tensor) for name, tensor in resumed.run.result().network.state_dict().items())


def test_patience_stops_lightning_too(lightning: Any, waves: SeriesPanel, recipe: Recipe) -> None:
    from nt_ray.neural.training.module import TrainingModule

    recipe = recipe.model_copy(update={"lr": 3.0, "clip": 0.0, "patience": 2, "validate_every": 2, "steps": 500})
    module = TrainingModule(waves, recipe)
    fit(lightning, module)
    assert module.run.step == train(waves, recipe).step < 500


def test_a_module_on_another_device_than_its_trainer_is_refused(waves: SeriesPanel, recipe: Recipe) -> None:
    from nt_ray.neural.training.module import TrainingModule

    module = TrainingModule(waves, recipe)
    module.to("meta")
    with pytest.raises(NeuralError, match="lies on cpu, and the trainer moved its network to meta"):
        module.on_fit_start()
