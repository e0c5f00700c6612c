import pytest
import torch
from torch import nn

from nt_ray.neural.training.optimiser import AdamW


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def batch(step: int) -> torch.Tensor:
    return torch.randn(16, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(step))


@pytest.mark.parametrize(("decay", "clip"), [(0.0, 0.0), (0.1, 0.0), (0.05, 0.02)])
def test_steps_are_those_of_torchs_own(decay: float, clip: float) -> None:
    ours, theirs = network(), network()
    optimiser = AdamW(ours.parameters(), decay, clip)
    reference = torch.optim.AdamW(theirs.parameters(), lr=1.0, weight_decay=decay, foreach=False)
    for step in range(20):
        rate = 0.01 / (1 + step)
        for net in (ours, theirs):
            net.zero_grad()
            net(batch(step)).square().mean().backward()
        if clip:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        reference.param_groups[0]["lr"] = rate
        reference.step()
        optimiser.step(rate)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def test_a_parameter_without_gradient_stays_as_it_is() -> None:
    net = network()
    optimiser = AdamW(net.parameters(), 0.1, 1.0)
    before = [p.detach().clone() for p in net.parameters()]
    net[0](batch(0)).square().mean().backward()
    optimiser.step(0.01)
    changed = [not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)]
    assert changed == [True, True, False, False]
    assert [int(count) for count in optimiser.steps] == [1, 1, 0, 0]


def test_frozen_parameters_are_left_out() -> None:
    net = network()
    net[0].weight.requires_grad_(False)
    assert len(AdamW(net.parameters(), 0.0, 0.0).parameters) == 3
