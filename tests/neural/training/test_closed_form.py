from pathlib import Path

import numpy as np
import pytest
import torch

from nt_ray.neural.inference.bundle import describe_bundle, save_bundle
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.network_method import Network
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.portion import Portion
from nt_ray.neural.series.survey import survey
from nt_ray.neural.training.durable import train_durably
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.ridge import fit_ridge
from nt_ray.neural.training.team import Team
from nt_ray.neural.training.training import Training, train

PENALTIES = (0.01, 1.0, 100.0)
RIDGE = Recipe(
    model="rlinear", lookback=12, horizon=4, validation=0.2, solver="ridge", penalties=PENALTIES, validate_every=10
)


def validation_error(weights: np.ndarray, panel: SeriesPanel) -> float:
    """Squared error of weights (H, L) on the validation windows in the scale of each look-back."""
    found = []
    for values in panel.target:
        for origin in range(239, 296):
            x, y = values[origin - 11 : origin + 1], values[origin + 1 : origin + 5]
            forecast = weights @ (x - x.mean()) + x.mean()
            found.append(((forecast - y) / x.std()) ** 2)
    return float(np.mean(found))


def test_the_penalty_that_validates_best_is_kept(waves: SeriesPanel, tmp_path: Path) -> None:
    trained = train(waves, RIDGE)
    rivals = [one.network.linear.weight.detach().double().numpy() for one in fit_ridge(waves, RIDGE, PENALTIES)]
    wanted = [validation_error(weights, waves) for weights in rivals]
    np.testing.assert_allclose([loss for _, loss in trained.validations], wanted, rtol=1e-3)
    best = int(np.argmin(wanted))
    np.testing.assert_array_equal(trained.network.linear.weight.detach().numpy(), rivals[best].astype(np.float32))
    save_bundle(trained, tmp_path / "model")
    metrics = describe_bundle(tmp_path / "model").lineage.metrics
    assert metrics["penalty"] == PENALTIES[best]
    assert metrics["validation_loss"] == pytest.approx(min(wanted), rel=1e-3)


def test_a_run_with_a_folder_solves_once_and_answers_the_same_again(waves: SeriesPanel, tmp_path: Path) -> None:
    first, again = (train_durably(waves, RIDGE, tmp_path) for _ in range(2))
    assert torch.equal(first.network.linear.weight, again.network.linear.weight)
    assert (first.validations, first.best) == (again.validations, again.best)
    assert len((tmp_path / "training.jsonl").read_text().splitlines()) == 2 + 1


def test_an_evaluation_fits_it_as_any_other(waves: SeriesPanel) -> None:
    fitted = Network("rlinear", RIDGE).fit(waves, 3, None)
    assert torch.equal(fitted.trained.network.linear.weight, train(waves, RIDGE).network.linear.weight)


def test_what_has_no_closed_form_or_is_not_in_one_piece_is_refused(waves: SeriesPanel) -> None:
    with pytest.raises(NeuralError, match="dlinear with the head mse has no closed form"):
        Training(waves, RIDGE.model_copy(update={"model": "dlinear"}))
    with pytest.raises(NeuralError, match="Use rlinear with mse"):
        Training(waves, RIDGE.model_copy(update={"head": "mae"}))
    with pytest.raises(NeuralError, match="solved by one process"):
        Training(waves, RIDGE, team=Team(0, 2))
    with pytest.raises(NeuralError, match="solved by one process"):
        Training(waves, RIDGE, portion=Portion((survey(waves, RIDGE),), (0,)))
    with pytest.raises(ValueError, match="several penalties need validation"):
        Recipe(model="rlinear", solver="ridge", penalties=(0.1, 1.0), validation=0.0)
