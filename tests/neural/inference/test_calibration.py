import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.neural.ensemble import EnsembleHead
from nt_ray.neural.heads.heads import find_head
from nt_ray.neural.inference.bundle import load_bundle, save_bundle
from nt_ray.neural.inference.calibrating import calibrated
from nt_ray.neural.inference.calibration import Calibration, knows_quantiles
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.splits import split_of
from nt_ray.neural.serving.model import ServedModel
from nt_ray.neural.serving.windows import windows
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train

POINT, STUDENT = find_head("mse"), find_head("student_t")


def rank(scores: list[float], level: float) -> float:
    """The score that bounds a level, counted from the side it lies on."""
    ordered = sorted(s for s in scores if not math.isnan(s))
    if level >= 0.5:
        return ordered[math.ceil(round((len(ordered) + 1) * level, 9)) - 1]
    return sorted(ordered, reverse=True)[math.ceil(round((len(ordered) + 1) * (1 - level), 9)) - 1]


@given(st.integers(0, 10_000), st.integers(9, 40), st.sampled_from([(0.1, 0.9), (0.25, 0.5, 0.75)]))
def test_points_are_moved_by_the_errors_of_the_windows_in_their_rank(
    seed: int, count: int, levels: tuple[float, ...]
) -> None:
    rng = torch.Generator().manual_seed(seed)
    outputs, truth = torch.randn(count, 3, 1, generator=rng), torch.randn(count, 3, generator=rng)
    held = Calibration(outputs, truth)
    found = held.quantiles(POINT, torch.zeros(1, 3, 1), levels)[0]
    for step in range(3):
        scores = (truth - outputs[..., 0])[:, step].tolist()
        wanted = [rank(scores, level) for level in levels]
        np.testing.assert_allclose(found[step], wanted, rtol=1e-6)


def test_quantiles_that_are_too_narrow_are_widened_until_they_hold_their_share() -> None:
    torch.manual_seed(0)
    # The head says a deviation of 1, and the truths have one of 3 around a bias of 1.
    outputs = torch.zeros(6000, 1, 3)
    truth = 1.0 + 3.0 * torch.randn(6000, 1)
    held = Calibration(outputs[:2000], truth[:2000])
    low, high = held.quantiles(STUDENT, outputs[2000:], (0.1, 0.9)).unbind(-1)
    inside = ((low <= truth[2000:]) & (truth[2000:] <= high)).float().mean()
    own = STUDENT.quantiles(outputs[:1], torch.tensor([0.1, 0.9]))[0, 0]
    assert inside == pytest.approx(0.8, abs=0.03)
    assert high[0, 0] - low[0, 0] > 2 * (own[1] - own[0])
    below = (truth[2000:] < low).float().mean()
    assert below == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_a_share_of_any_distribution_is_held_as_promised_on_either_side(level: float) -> None:
    rng = np.random.default_rng(1)
    # 2,000 separate calibrations, one a step, by 29 heavy-tailed errors: the guarantee is over calibration and test.
    truth = torch.from_numpy(rng.standard_t(2, (30, 2000))).float()
    held = Calibration(torch.zeros(29, 2000, 1), truth[:29])
    low, high = held.quantiles(POINT, torch.zeros(1, 2000, 1), (1.0 - level, level))[0].unbind(-1)
    # Between the level and level + 1 / (n + 1), within three deviations of 2,000 draws.
    slack = 3.0 * (level * (1.0 - level) / 2000) ** 0.5
    for inside in (truth[29] <= high, truth[29] >= low):
        assert level - slack <= float(inside.float().mean()) <= level + 1.0 / 30.0 + slack


def test_windows_that_miss_a_step_do_not_count_for_it_and_levels_beyond_the_rest_are_refused() -> None:
    truth = torch.arange(30.0)[:, None].repeat(1, 2)
    truth[10:, 1] = torch.nan
    held = Calibration(torch.zeros(30, 2, 1), truth)
    assert held.count == 10
    assert held.quantiles(POINT, torch.zeros(1, 2, 1), (0.5,))[0, :, 0].tolist() == [15.0, 5.0]
    assert (held.allows(0.9), held.allows(0.1), held.allows(0.95)) == (True, True, False)
    with pytest.raises(NeuralError, match=r"level 0\.95 needs more than the 10 windows .* from 0\.09091 to 0\.9091"):
        held.shifts(POINT, (0.95,))


def test_an_ensemble_knows_quantiles_where_all_its_members_do() -> None:
    assert knows_quantiles(STUDENT)
    assert not knows_quantiles(POINT)
    assert knows_quantiles(EnsembleHead([STUDENT, STUDENT]))
    assert not knows_quantiles(EnsembleHead([STUDENT, POINT]))


@pytest.mark.parametrize("head", ["mse", "quantile", "student_t"])
def test_the_calibration_is_of_validation_windows_alone_and_travels_with_the_bundle(
    waves: SeriesPanel, recipe: Recipe, tmp_path: Path, head: str
) -> None:
    fitted = train(waves, recipe.model_copy(update={"head": head}))
    trained = calibrated(fitted, waves)
    assert trained.calibration is not None
    first = split_of(waves, recipe).validation
    assert trained.calibration.count == 3 * (len(waves) - first - recipe.horizon + 1)
    save_bundle(trained, tmp_path / "model")
    again = load_bundle(tmp_path / "model")
    levels = (0.1, 0.5, 0.9)
    origins = np.array([150, 200])
    mean, found = Predictor(again).windows(waves, origins, levels, intervals="conformal")
    # By hand, from forecasts in units of the series: a shift is in deviations of the look-back.
    places = np.arange(first - 1, len(waves) - recipe.horizon)
    points, own = Predictor(fitted).windows(waves, places, () if head == "mse" else levels)
    base = np.repeat(points[..., None], 3, axis=-1) if head == "mse" else own
    spread = np.stack([waves.target[:, o - 11 : o + 1].std(axis=1) for o in places], axis=1)
    truth = np.stack([waves.target[:, o + 1 : o + 5] for o in places], axis=1)
    scores = ((truth[..., None] - base) / spread[..., None, None]).reshape(-1, 4, 3)
    _, start = Predictor(fitted).windows(waves, origins, () if head == "mse" else levels)
    start = np.repeat(mean[..., None], 3, axis=-1) if head == "mse" else start
    width = np.stack([waves.target[:, o - 11 : o + 1].std(axis=1) for o in origins], axis=1)
    for step in range(4):
        shift = np.array([rank(scores[:, step, i].tolist(), level) for i, level in enumerate(levels)])
        wanted = np.sort(start[:, :, step] + shift * width[..., None], axis=-1)
        np.testing.assert_allclose(found[:, :, step], wanted, rtol=2e-4, atol=1e-4)
    # A model in service says the same, of points without being asked for conformal ones.
    model = ServedModel(again, "m")
    target = np.stack([waves.target[s, o - 11 : o + 1] for s in range(3) for o in origins])
    asked = windows(again.signature, {"target": target})
    served = model.forecast(asked, levels, "" if head == "mse" else "conformal").quantiles
    np.testing.assert_allclose(served, found.reshape(6, 4, 3), rtol=1e-4)
    if head != "mse":
        np.testing.assert_allclose(model.forecast(asked, levels).quantiles, start.reshape(6, 4, 3), rtol=1e-4)


def test_what_a_model_cannot_give_is_refused_with_its_remedy(waves: SeriesPanel, recipe: Recipe) -> None:
    points = ServedModel(train(waves, recipe), "m")
    asked = windows(points.signature, {"target": waves.target[:, :12]})
    with pytest.raises(NeuralError, match="train it with validation rows"):
        points.forecast(asked, (0.5,))
    known = ServedModel(calibrated(train(waves, recipe), waves), "m")
    assert known.levels == (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
    with pytest.raises(NeuralError, match="Ask for conformal ones"):
        known.forecast(asked, (0.5,), "model")
    bare = train(waves, recipe.model_copy(update={"head": "quantile"}))
    with pytest.raises(NeuralError, match="Model m was kept without the validation windows"):
        ServedModel(bare, "m").forecast(asked, (0.5,), "conformal")
    without = recipe.model_copy(update={"validation": 0.0})
    assert calibrated(train(waves, without), waves).calibration is None


def test_a_calibration_of_another_network_is_refused(waves: SeriesPanel, recipe: Recipe, tmp_path: Path) -> None:
    trained = calibrated(train(waves, recipe), waves)
    assert trained.calibration is not None
    wrong = Calibration(trained.calibration.outputs[:, :2], trained.calibration.truth[:, :2])
    save_bundle(replace(trained, calibration=wrong), tmp_path / "model")
    with pytest.raises(NeuralError, match="belongs to another network"):
        load_bundle(tmp_path / "model")
