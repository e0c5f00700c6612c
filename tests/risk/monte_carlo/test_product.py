import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.risk.monte_carlo.product import multiply


def in_order(matrix: np.ndarray, start: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The sums in the stated order, one column at a time."""
    out = np.repeat(start[:, None], x.shape[1], axis=1)
    for k in range(matrix.shape[1]):
        out = out + matrix[:, k : k + 1] * x[k]
    return out


@settings(max_examples=60)
@given(st.integers(1, 20), st.integers(1, 30), st.integers(1, 40), st.booleans(), st.sampled_from(["f4", "f8"]))
def test_sums_run_over_the_columns_in_their_order(rows: int, columns: int, count: int, lower: bool, kind: str) -> None:
    random = np.random.default_rng(rows * 1000 + columns)
    if lower:
        columns = rows
    matrix, start = random.normal(size=(rows, columns)).astype(kind), random.normal(size=rows).astype(kind)
    if lower:
        matrix = np.tril(matrix)
    x = random.normal(size=(columns, count)).astype(kind)
    out = np.full((rows, count + 3), 9.0, dtype=kind)
    multiply(matrix, start, x, count, out, int(lower))
    np.testing.assert_array_equal(out[:, :count], in_order(matrix, start, x))
    assert (out[:, count:] == 9.0).all()


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_a_result_does_not_depend_on_its_company(kind: str) -> None:
    random = np.random.default_rng(2)
    matrix, x = random.normal(size=(9, 21)).astype(kind), random.normal(size=(21, 300)).astype(kind)
    whole, alone = np.empty((9, 300), dtype=kind), np.empty((1, 77), dtype=kind)
    multiply(matrix, np.zeros(9, dtype=kind), x, 300, whole, 0)
    part = np.ascontiguousarray(x[:, 100:177])
    multiply(np.ascontiguousarray(matrix[4:5]), np.zeros(1, dtype=kind), part, 77, alone, 0)
    np.testing.assert_array_equal(alone[0], whole[4, 100:177])
