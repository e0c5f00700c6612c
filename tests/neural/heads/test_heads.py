import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.neural.heads.heads import NAMES, find_head
from nt_ray.neural.problems import NeuralError

LEVELS = (0.1, 0.5, 0.9)


def test_every_name_has_a_head() -> None:
    assert [find_head(name, LEVELS).name for name in NAMES] == list(NAMES)
    assert [find_head(name, LEVELS).width for name in NAMES] == [1, 1, 1, 4, 3]


def test_a_wrong_name_gets_the_nearest_one() -> None:
    with pytest.raises(NeuralError, match=r"Unknown head 'student'; did you mean 'student_t'\?"):
        find_head("student")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_has_no_influence_on_loss_and_gradient(name: str) -> None:
    head = find_head(name, LEVELS)
    torch.manual_seed(0)
    outputs = torch.randn(4, 6, head.width, requires_grad=True)
    truth, mask = torch.randn(4, 6), (torch.rand(4, 6) > 0.4).float()
    loss = head.loss(outputs, truth * mask, mask)
    loss.backward()
    gradient = outputs.grad
    assert gradient is not None
    assert (gradient[mask == 0] == 0).all()
    assert gradient[mask == 1].any(dim=-1).all()
    other = outputs.detach().clone()
    other[mask == 0] = 30.0
    assert torch.equal(head.loss(other, truth * mask + 1e6 * (1 - mask), mask), loss.detach())
    present = mask.bool()
    alone = head.loss(outputs[present][None], truth[present][None], mask[present][None])
    torch.testing.assert_close(alone, loss)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_observed_costs_nothing(name: str) -> None:
    head = find_head(name, LEVELS)
    outputs = torch.randn(2, 3, head.width, requires_grad=True)
    loss = head.loss(outputs, torch.zeros(2, 3), torch.zeros(2, 3))
    loss.backward()
    assert loss.item() == 0.0
    assert outputs.grad is not None
    assert not outputs.grad.any()


@given(st.lists(st.floats(-200, 200, width=32), min_size=3, max_size=8), st.sampled_from(["quantile", "student_t"]))
def test_quantiles_never_cross_whatever_the_outputs(values: list[float], name: str) -> None:
    head = find_head(name, (0.05, 0.4, 0.6, 0.95)[: len(values) - 1])
    levels = torch.tensor([1e-4, 0.01, 0.05, 0.3, 0.4, 0.5, 0.6, 0.95, 0.99, 0.9999])
    outputs = torch.tensor(values[: head.width])[None, None]
    if outputs.shape[-1] < head.width:
        outputs = torch.nn.functional.pad(outputs, (0, head.width - outputs.shape[-1]))
    quantiles = head.quantiles(outputs, levels)
    assert quantiles.isfinite().all()
    # Student's are rounded level by level.
    assert (quantiles.diff(dim=-1) >= (-2e-6 * quantiles.abs().amax() if name == "student_t" else 0.0)).all()
