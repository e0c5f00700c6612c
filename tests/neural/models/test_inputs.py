import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.neural.models.base import Shape
from nt_ray.neural.models.inputs import filled, history, history_width, surroundings, surroundings_width


@given(st.lists(st.tuples(st.floats(-9, 9, width=32), st.booleans()), min_size=1, max_size=20))
def test_a_gap_holds_the_last_value_observed_or_the_first(bars: list[tuple[float, bool]]) -> None:
    values = [value for value, _ in bars]
    seen = [known for _, known in bars]
    last = next((value for value, known in bars if known), 0.0)
    expected = []
    for value, known in bars:
        last = value if known else last
        expected.append(last)
    found = filled(torch.tensor([values]), torch.tensor([seen]).float())
    np.testing.assert_array_equal(found[0].numpy(), np.array(expected, dtype=np.float32))


@pytest.mark.parametrize("widths", [(0, 0, 0), (2, 3, 1)])
def test_networks_see_each_input_of_the_look_back(widths: tuple[int, int, int], windows) -> None:
    shape = Shape(7, 3, *widths)
    batch, _ = windows(shape, missing=0.3)
    seen = history(batch)
    assert seen.shape == (5, 7, history_width(shape))
    columns = [batch.target[..., None], batch.mask[..., None], batch.past, batch.future[:, :7]]
    columns += [batch.static[:, None].repeat(1, 7, 1)]
    assert torch.equal(seen, torch.cat(columns, dim=-1))
    assert sum(part.shape[1] for part in surroundings(batch)) == surroundings_width(shape)


def test_windows_of_which_nothing_is_missing_are_taken_as_they_are() -> None:
    target = torch.randn(3, 6)
    assert torch.equal(filled(target, torch.ones(3, 6)), target)
    assert filled(target, torch.ones(1, 1).expand(3, 6)) is target
