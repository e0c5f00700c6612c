import numpy as np
import pytest
import torch

from nt_ray.neural.inference.predictor import predict_windows
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.closed_form import FLOOR
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.ridge import fit_ridge

RIDGE = Recipe(model="rlinear", lookback=12, horizon=4, scaling="none", validation=0.2)


def objective(weights: np.ndarray, panel: SeriesPanel, penalty: float, recent: int) -> float:
    """What the weights (H, L) minimise, window by window."""
    windows = [
        (values[i : i + 12] - values[i : i + 12].mean(), values[i + 12 : i + 16] - values[i : i + 12].mean())
        for values in panel.target.astype(np.float32).astype(np.float64)
        for i in range(240 - 16 + 1)
    ]
    variances = np.array([x[-recent:].var() for x, _ in windows])
    share = 1.0 / (variances + FLOOR * variances.mean())
    loss = sum(w * ((y - weights @ x) ** 2).sum() for w, (x, y) in zip(share, windows, strict=True))
    unit = sum(w * (x**2).mean() for w, (x, _) in zip(share, windows, strict=True))
    return float(loss + penalty * unit * (weights**2).sum())


@pytest.mark.parametrize(("penalty", "recent"), [(1.0, 12), (0.01, 5)])
def test_no_step_away_from_the_weights_makes_the_objective_smaller(
    waves: SeriesPanel, penalty: float, recent: int
) -> None:
    (trained,) = fit_ridge(waves, RIDGE, [penalty], recent)
    weights, bias = (p.detach().double().numpy() for p in trained.network.parameters())
    assert not bias.any()
    best = objective(weights, waves, penalty, recent)
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = 1e-2 * rng.normal(size=weights.shape)
        up, down = (objective(weights + sign * step, waves, penalty, recent) for sign in (1, -1))
        assert min(up, down) > best
        # At the minimum of a parabola both sides rise alike.
        assert up - best == pytest.approx(down - best, rel=1e-3)


def test_rows_after_the_training_rows_change_nothing(waves: SeriesPanel) -> None:
    moved = waves.target.copy()
    moved[:, 240:] += 9.0
    other = SeriesPanel(waves.names, waves.times, moved)
    first, second = (fit_ridge(panel, RIDGE, [0.3])[0].network for panel in (waves, other))
    assert torch.equal(first.linear.weight, second.linear.weight)


def test_each_penalty_has_weights_of_its_own_and_more_penalty_smaller_ones(waves: SeriesPanel) -> None:
    sizes = [float(one.network.linear.weight.detach().norm()) for one in fit_ridge(waves, RIDGE, [0.01, 0.1, 1.0])]
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_nothing_is_drawn_from_the_seed(waves: SeriesPanel) -> None:
    first, second = (
        fit_ridge(waves, RIDGE.model_copy(update={"seed": seed}), [1.0])[0].network.state_dict() for seed in (0, 1)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_sine_goes_on_and_gaps_are_left_out(waves: SeriesPanel) -> None:
    clock = np.arange(300)
    values = np.stack([level + np.sin(2 * np.pi * clock / 12) for level in (5.0, -3.0)])
    holed = values.copy()
    holed[0, 100:103] = np.nan
    times = waves.times
    (trained,) = fit_ridge(SeriesPanel(("a", "b"), times, holed), RIDGE, [1e-6])
    forecast, _ = predict_windows(trained, SeriesPanel(("a", "b"), times, values), np.array([250]))
    np.testing.assert_allclose(forecast[:, 0], values[:, 251:255], atol=1e-2)


@pytest.mark.parametrize(
    ("changes", "penalty", "recent", "message"),
    [
        ({"model": "dlinear"}, 1.0, None, r"dlinear with the head mse has no closed form here\. Use rlinear"),
        ({"head": "mae"}, 1.0, None, "rlinear with the head mae has no closed form"),
        ({}, 0.0, None, r"penalty=0\.0 leaves the weights undetermined"),
        ({}, 1.0, 13, r"recent=13 is no part of 12 bars\. Use 2 to 12"),
    ],
)
def test_what_has_no_closed_form_is_refused(
    waves: SeriesPanel, changes: dict[str, str], penalty: float, recent: int | None, message: str
) -> None:
    with pytest.raises(NeuralError, match=message):
        fit_ridge(waves, RIDGE.model_copy(update=changes), [penalty], recent)
