"""What every network of the platform promises, whatever it is."""

from collections.abc import Callable
from copy import deepcopy
from math import pi

import pytest
import torch
from safetensors.torch import load, save

from nt_ray.neural.heads.heads import Head, find_head
from nt_ray.neural.models.base import Forecaster, Shape
from nt_ray.neural.models.registry import NAMES, build, find
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth

LEVELS = (0.1, 0.5, 0.9)
HEADS = [find_head("mse"), find_head("quantile", LEVELS), find_head("student_t")]
Make = Callable[..., tuple[Batch, Truth]]
Small = Callable[..., Forecaster]
Sizes = Callable[[str, int, int], dict[str, float]]

KINDS = ("past", "future", "static")

everything = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def small(sizes: Sizes) -> Small:
    """Maker of each network with few cells and fresh weights."""

    def make(name: str, *, outputs: int = 1, inputs: bool = True, seed: int = 0) -> Forecaster:
        kinds = find(name).inputs if inputs else ()
        widths = (width if kind in kinds else 0 for kind, width in zip(KINDS, (2, 3, 2), strict=True))
        torch.manual_seed(seed)
        return build(name, Shape(24, 6, *widths, outputs), sizes(name, 16, 2))

    return make


@everything
@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_outputs_and_gradients_have_their_shape_under_every_head(
    name: str, small: Small, head: Head, windows: Make
) -> None:
    network = small(name, outputs=head.width)
    batch, truth = windows(network.shape, missing=0.2)
    outputs = network.fitted(batch, truth)
    assert outputs.shape == network(batch).shape == (5, 6, head.width)
    head.loss(outputs, *truth).backward()
    for key, weight in network.named_parameters():
        assert weight.grad is not None, key
        assert weight.grad.isfinite().all(), key
        assert weight.grad.any(), key


@everything
def test_a_network_in_eval_mode_draws_no_random_number(name: str, small: Small, windows: Make) -> None:
    network = small(name).eval()
    batch, _ = windows(network.shape)
    first = network(batch)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert torch.equal(network(batch), first)
    assert torch.equal(torch.get_rng_state(), state)


@everything
def test_equal_seeds_train_to_equal_bits(name: str, small: Small, windows: Make) -> None:
    weights = []
    for _ in range(2):
        network = small(name)
        batch, truth = windows(network.shape, missing=0.2)
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
        for step in range(3):
            torch.manual_seed(step)
            optimiser.zero_grad()
            HEADS[0].loss(network.fitted(batch, truth), *truth).backward()
            optimiser.step()
        weights.append(network.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


@everything
def test_what_stands_where_nothing_was_observed_changes_nothing(name: str, small: Small, windows: Make) -> None:
    network = small(name).eval()
    batch, truth = windows(network.shape, missing=0.4)
    empty = batch.mask.clone()
    empty[0] = 0.0
    batch = batch._replace(mask=empty, target=batch.target * empty)
    other = batch._replace(target=batch.target + 1e3 * (1.0 - batch.mask))
    strange = truth._replace(target=truth.target + 1e3 * (1.0 - truth.mask))
    assert network(batch).isfinite().all()
    assert torch.equal(network(batch), network(other))
    assert torch.equal(network.fitted(batch, truth), network.fitted(other, strange))


@everything
def test_a_window_is_forecast_alike_alone_and_among_others(name: str, small: Small, windows: Make) -> None:
    network = small(name).eval()
    batch, _ = windows(network.shape, missing=0.1)
    alone = Batch(*(part[3:4] for part in batch))
    torch.testing.assert_close(network(alone), network(batch)[3:4], rtol=1e-4, atol=1e-5)


@everything
def test_every_input_a_network_takes_has_an_influence(name: str, small: Small, windows: Make) -> None:
    network = small(name).eval()
    batch, _ = windows(network.shape)
    known = network(batch)
    for kind in ("target", *find(name).inputs):
        part = getattr(batch, kind).clone()
        part[:, -1] += 3.0
        assert not torch.allclose(network(batch._replace(**{kind: part})), known, atol=1e-6), kind


@everything
def test_inputs_a_network_does_not_take_are_refused(name: str) -> None:
    for kind in KINDS:
        if kind not in find(name).inputs:
            with pytest.raises(
                NeuralError, match=rf"{name} takes no {kind} inputs, and 2 are given\. Leave them out or"
            ):
                build(name, Shape(24, 6, **{kind: 2}))


@everything
def test_a_network_learns_a_sine(name: str, small: Small) -> None:
    network = small(name, inputs=False)
    start = torch.linspace(0.0, 2.0 * pi, 33)[:32, None]
    values = torch.sin(start + torch.arange(30) * (2.0 * pi / 12.0))
    batch = Batch(
        values[:, :24], torch.ones(32, 24), torch.empty(32, 24, 0), torch.empty(32, 30, 0), torch.empty(32, 0)
    )
    truth = Truth(values[:, 24:], torch.ones(32, 6))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(100):
        optimiser.zero_grad()
        HEADS[0].loss(network.fitted(batch, truth), *truth).backward()
        optimiser.step()
    with torch.no_grad():
        error = HEADS[0].loss(network.eval()(batch), *truth)
    # The mean of nothing known has .5.
    assert error < 0.05


@everything
def test_weights_travel_as_safetensors(name: str, small: Small, windows: Make) -> None:
    network, other = small(name).eval(), small(name, seed=1).eval()
    batch, _ = windows(network.shape)
    assert not torch.equal(network(batch), other(batch))
    other.load_state_dict(load(save(network.state_dict())))
    assert torch.equal(network(batch), other(batch))
    assert torch.equal(deepcopy(network)(batch), other(batch))


@everything
def test_a_horizon_and_a_look_back_of_one_bar_work(name: str, sizes: Sizes, windows: Make) -> None:
    values = {"patch": 1, "stride": 1, "width": 16, "heads": 2} if name == "transformer" else sizes(name, 16, 2)
    network = build(name, Shape(1, 1), values).eval()
    batch, _ = windows(network.shape)
    assert network(batch).shape == (5, 1, 1)
    assert network(batch).isfinite().all()


@everything
def test_documentation_names_the_source_and_every_parameter(name: str) -> None:
    model = find(name)
    assert model.name == name
    assert model.source
    assert model.summary.endswith(".")
    for parameter in model.parameters:
        assert parameter.low <= parameter.default <= parameter.high
        assert parameter.description.endswith(".")
