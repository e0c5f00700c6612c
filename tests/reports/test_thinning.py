import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.reports.thinning import MAX_POINTS, thin


@given(st.integers(0, 30_000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_ends_and_extremes_within_the_limit(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=count).cumsum()
    rows = thin(values)
    assert len(rows) <= MAX_POINTS
    assert np.all(np.diff(rows) > 0)
    if count:
        kept = values[rows]
        assert (rows[0], rows[-1]) == (0, count - 1)
        assert (kept.min(), kept.max()) == (values.min(), values.max())


def test_a_short_series_is_kept_whole() -> None:
    assert thin(np.arange(4000.0)).tolist() == list(range(4000))


@pytest.mark.parametrize("at", [0, 1, 7777, 9999])
def test_a_single_spike_survives_among_unknown_values(at: int) -> None:
    values = np.full(10_000, np.nan)
    values[5::100] = 1.0
    values[at] = 9.0
    assert at in thin(values, 50)
    assert len(thin(values, 50)) <= 50
