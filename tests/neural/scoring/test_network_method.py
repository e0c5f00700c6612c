from collections.abc import Iterator

import numpy as np
import pytest
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.scoring.evaluation import Plan, walk_forward
from nt_ray.neural.scoring.leak import changed_futures, evaluated, find_leaks, predicted
from nt_ray.neural.scoring.method import Naive
from nt_ray.neural.scoring.network_method import Network
from nt_ray.neural.scoring.scoreboard import Terms, evaluate
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe

RECIPE = Recipe(
    model="dlinear",
    lookback=12,
    horizon=3,
    batch=64,
    steps=40,
    lr=0.01,
    scaling="fold",
    validation=0.0,
    validate_every=0,
)
PLAN = Plan(train=200, test=60)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def wave() -> SeriesPanel:
    """A noisy wave that a linear map of twelve rows forecasts far better than its last value."""
    rows = np.arange(320)
    noise = np.random.default_rng(0).normal(0.0, 0.1, (2, 320))
    target = np.stack([np.sin(rows / 2.0), 3.0 * np.cos(rows / 2.0)]) + noise
    times = np.datetime64("2020-01-01", "us") + rows * np.timedelta64(1, "D")
    return SeriesPanel(("sine", "cosine"), times, target)


@pytest.mark.parametrize("scaling", ["fold", "standard", "last"])
def test_a_trained_network_does_not_leak(wave: SeriesPanel, scaling: str) -> None:
    method = Network("net", RECIPE.model_copy(update={"scaling": scaling, "steps": 5}))
    leaks = find_leaks(wave, evaluated(method, PLAN), origins=[200, 260])
    assert leaks == ()


def test_weights_and_scales_are_among_what_is_tested(wave: SeriesPanel) -> None:
    method = Network("net", RECIPE.model_copy(update={"steps": 5}))
    outputs = evaluated(method, PLAN)(wave)
    assert any(name.startswith("weights ") for name in outputs)
    assert "scaler location" in outputs
    assert {outputs[name].rows[0] for name in outputs if not name.startswith("seed")} == {199}
    # They are fitted on rows up to 199, so a change after row 150 shows in them.
    changed = evaluated(method, PLAN)(next(changed_futures(wave, 150))[1])
    for name in ("scaler location", "scaler scale"):
        assert not np.array_equal(outputs[name].values, changed[name].values)


def test_a_network_trained_on_the_test_rows_as_well_is_caught_when_it_is_refitted(wave: SeriesPanel) -> None:
    method = Network("net", RECIPE.model_copy(update={"steps": 5}))

    def careless(panel: SeriesPanel) -> dict[str, object]:
        """Fits on everything, then claims to forecast out of sample."""
        return dict(predicted(method.fit(panel, 0, None), np.arange(200, 300))(panel))

    leaks = find_leaks(wave, careless, origins=[250])  # type: ignore[arg-type]
    assert [(leak.output, leak.row) for leak in leaks] == [("forecast of sine", 200), ("forecast of cosine", 200)]


def test_a_network_beats_the_last_value_on_a_wave_and_says_so(wave: SeriesPanel) -> None:
    plan = Plan(train=200, test=60, seeds=(0, 1))
    method = Network("dlinear", RECIPE.model_copy(update={"steps": 150}))
    board, walks = evaluate(wave, [method], plan, Terms(draws=5))
    beats, why = board.verdicts["dlinear"]
    assert beats, why
    assert "better in 2 of 2 seeds" in why
    first, second = walks[-1].forecasts
    assert not np.array_equal(first.mean, second.mean)


def test_a_warm_fit_starts_from_the_weights_before_and_leaves_them_as_they_were(wave: SeriesPanel) -> None:
    method = Network("net", RECIPE.model_copy(update={"steps": 1, "lr": 1e-12}))
    before = method.fit(wave.rows(0, 200), 0, None)
    kept = {name: values.copy() for name, values in before.state().items()}
    warm, fresh = method.fit(wave, 1, before), method.fit(wave, 1, None)
    for name, values in before.state().items():
        np.testing.assert_array_equal(values, kept[name])
        if name.startswith("weights "):
            np.testing.assert_allclose(warm.state()[name], values, atol=1e-6)
    assert any(not np.allclose(fresh.state()[n], v, atol=1e-3) for n, v in kept.items() if n.startswith("weights "))
    with pytest.raises(NeuralError, match="cannot start from another"):
        method.fit(wave, 0, Naive("zero", 3))


def test_quantiles_come_from_a_head_that_has_them(wave: SeriesPanel) -> None:
    recipe = RECIPE.model_copy(update={"head": "quantile", "steps": 20, "levels": (0.1, 0.5, 0.9)})
    made = walk_forward(wave, Network("q", recipe, (0.1, 0.5, 0.9)), PLAN).forecasts[0]
    assert made.quantiles is not None
    assert made.quantiles.shape == (*made.mean.shape, 3)
    assert (np.diff(made.quantiles, axis=3) >= 0.0).all()
