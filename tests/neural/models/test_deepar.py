from collections.abc import Callable

import numpy as np
import pytest
import torch

from nt_ray.neural.heads.heads import find_head
from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.deepar import DeepAR
from nt_ray.neural.models.registry import build
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.batch import Batch, Truth

Make = Callable[..., tuple[Batch, Truth]]
HEAD = find_head("student_t")


def network(dropout: float = 0.0) -> DeepAR:
    torch.manual_seed(0)
    made = build("deepar", Shape(12, 5, future=2, static=1, outputs=3), {"hidden": 8, "layers": 2, "dropout": dropout})
    assert isinstance(made, DeepAR)
    return made.eval()


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_forecasts_are_what_it_would_be_taught_if_they_came_true(dropout: float, windows: Make) -> None:
    net = network(dropout)
    batch, _ = windows(net.shape, missing=0.2)
    free = net(batch)
    taught = net.fitted(batch, Truth(free[..., 0], torch.ones(5, 5)))
    torch.testing.assert_close(taught, free, rtol=0, atol=1e-6)


def test_the_truth_of_a_step_is_not_seen_until_the_next(windows: Make) -> None:
    net = network()
    batch, truth = windows(net.shape)
    known = net.fitted(batch, truth)
    for step in range(5):
        target = truth.target.clone()
        target[:, step] += 10.0
        other = net.fitted(batch, truth._replace(target=target))
        assert torch.equal(other[:, : step + 1], known[:, : step + 1])
        assert not torch.equal(other, known) or step == 4


def test_inputs_known_in_advance_are_seen_with_the_bar_they_belong_to(windows: Make) -> None:
    net = network()
    batch, truth = windows(net.shape)
    known = net.fitted(batch, truth)
    future = batch.future.clone()
    future[:, 12 + 2] += 5.0
    other = net.fitted(batch._replace(future=future), truth)
    assert torch.equal(other[:, :2], known[:, :2])
    assert not torch.allclose(other[:, 2], known[:, 2], atol=1e-4)


@torch.no_grad()
def test_paths_follow_the_distribution_of_each_step_given_the_last(windows: Make) -> None:
    net = network()
    batch, _ = windows(net.shape, count=1)
    paths = net.sample(batch, 2000, 7, HEAD)[0]
    levels = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
    outputs, state = net._begin(batch)
    share = (paths[:, :1] <= HEAD.quantiles(outputs, levels)[0, 0]).float().mean(dim=0)
    np.testing.assert_allclose(share, levels, atol=0.035)
    # The second step, given the first of each path: its values are uniform under their own distributions.
    many = Batch(*(part.expand(2000, *part.shape[1:]) for part in batch))
    spread = [(h.expand(-1, 2000, -1).contiguous(), c.expand(-1, 2000, -1).contiguous()) for h, c in state]
    outputs, _ = net._next(many, paths[:, :1], 1, spread)
    share = (paths[:, 1:2] <= HEAD.quantiles(outputs, levels)[:, 0]).float().mean(dim=0)
    np.testing.assert_allclose(share, levels, atol=0.035)


@torch.no_grad()
def test_more_paths_begin_with_the_fewer(windows: Make) -> None:
    net = network()
    batch, _ = windows(net.shape)
    few, many = net.sample(batch, 3, 1, HEAD), net.sample(batch, 8, 1, HEAD)
    assert many.shape == (5, 8, 5)
    torch.testing.assert_close(many[:, :3], few, rtol=0, atol=1e-6)
    assert not torch.allclose(net.sample(batch, 3, 2, HEAD), few)
    # Windows draw apart from each other.
    assert len(few[:, 0, 0].unique()) == 5


def test_a_head_without_a_distribution_draws_no_paths(windows: Make) -> None:
    net = build("deepar", Shape(12, 5))
    assert isinstance(net, DeepAR)
    with pytest.raises(NeuralError, match="has no distribution to draw from"):
        net.sample(windows(net.shape)[0], 2, 0, find_head("mse"))


def test_the_number_of_weights_is_that_of_the_paper_with_its_sizes() -> None:
    net = build("deepar", Shape(12, 5, outputs=3))
    assert sum(p.numel() for p in net.parameters()) == sum(4 * 40 * (n + 40 + 2) for n in (2, 40, 40)) + 41 * 3


@torch.no_grad()
def test_quantiles_are_those_of_sampled_paths_and_know_what_lies_between(windows: Make) -> None:
    net = network()
    net.paths = 2000
    batch, _ = windows(net.shape)
    levels = torch.tensor([0.1, 0.5, 0.9])
    outputs = net(batch)
    found = net.quantiles(batch, outputs, levels, HEAD, 3)
    # Other draws, each window with its own.
    paths = net.sample(batch, 4000, 11, HEAD)
    wanted = torch.from_numpy(np.quantile(paths.numpy(), levels.numpy(), axis=1)).permute(1, 2, 0)
    spread = (wanted[..., 2] - wanted[..., 0])[..., None]
    np.testing.assert_allclose(found / spread, wanted / spread, atol=0.06)
    assert torch.equal(net.quantiles(batch, outputs, levels, HEAD, 3), found)
    assert not torch.equal(net.quantiles(batch, outputs, levels, HEAD, 4), found)


@torch.no_grad()
def test_quantiles_of_a_window_do_not_depend_on_those_beside_it(windows: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    net.paths = 50
    batch, _ = windows(net.shape)
    levels = torch.tensor([0.1, 0.9])
    whole = net.quantiles(batch, net(batch), levels, HEAD, 3)
    for row in (0, 4):
        one = Batch(*(part[row : row + 1] for part in batch))
        torch.testing.assert_close(net.quantiles(one, net(one), levels, HEAD, 3), whole[row : row + 1])
    monkeypatch.setattr("nt_ray.neural.models.deepar.ROWS", 100)
    torch.testing.assert_close(net.quantiles(batch, net(batch), levels, HEAD, 3), whole)


@torch.no_grad()
def test_errors_add_up_along_paths_as_those_of_a_random_walk_do() -> None:
    net = build("deepar", Shape(4, 9, outputs=3), {"hidden": 1, "layers": 1, "paths": 4000})
    assert isinstance(net, DeepAR)

    class Walk(torch.nn.Module):
        """Cells whose next step has the last value for its location, and a normal's deviation of one."""

        def forward(self, values: torch.Tensor, state: object) -> tuple[torch.Tensor, object]:
            return values[..., :1], state

    state = (torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
    net.layers = torch.nn.ModuleList([Walk()])
    net._read = lambda values, _: (values[..., :1], [state])  # type: ignore[method-assign]
    net.outputs.weight.copy_(torch.tensor([[1.0], [0.0], [0.0]]))
    net.outputs.bias.copy_(torch.tensor([0.0, 0.0, 1e6]))
    batch = Batch(
        torch.full((1, 4), 2.0), torch.ones(1, 4), torch.empty(1, 4, 0), torch.empty(1, 13, 0), torch.empty(1, 0)
    )
    low, high = net.quantiles(batch, net(batch), torch.tensor([0.1, 0.9]), HEAD, 0)[0].unbind(-1)
    wanted = 2 * 1.2815516 * np.sqrt(np.arange(1, 10))
    np.testing.assert_allclose(high - low, wanted, rtol=0.06)
