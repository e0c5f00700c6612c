import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.neural.series.valid import valid_windows
from nt_ray.types import BoolArray

CPU = torch.device("cpu")


def by_hand(
    seen: BoolArray, lookback: int, horizon: int, origins: tuple[int, int], least: float
) -> list[tuple[int, int]]:
    found = []
    for s, row in enumerate(seen):
        for t in range(len(row)):
            inside = t - lookback + 1 >= 0 and t + horizon < len(row) and origins[0] <= t < origins[1]
            past, ahead = row[max(0, t - lookback + 1) : t + 1], row[t + 1 : t + 1 + horizon]
            if inside and past.sum() >= max(1, np.ceil(least * lookback)) and ahead.any():
                found.append((s, t))
    return found


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10**6),
    lookback=st.integers(1, 8),
    horizon=st.integers(1, 5),
    origins=st.tuples(st.integers(0, 20), st.integers(0, 40)),
    least=st.sampled_from([0.1, 0.5, 1.0]),
)
def test_windows_are_those_counted_by_hand(
    seed: int, lookback: int, horizon: int, origins: tuple[int, int], least: float
) -> None:
    rng = np.random.default_rng(seed)
    seen = rng.random((3, 30)) < rng.choice([0.3, 0.8, 1.0], size=(3, 1))
    found = valid_windows(seen, lookback, horizon, origins, least, CPU)
    expected = by_hand(seen, lookback, horizon, origins, least)
    assert found.count == len(expected)
    series, origin = found.locate(torch.arange(found.count))
    assert list(zip(series.tolist(), origin.tolist(), strict=True)) == expected


def test_full_series_take_one_stretch_each_whatever_their_length() -> None:
    found = valid_windows(np.ones((4, 100_000), np.bool_), 96, 24, (0, 100_000), 0.5, CPU)
    assert len(found.first) == 4
    assert found.count == 4 * (100_000 - 96 - 24 + 1)


def test_a_spread_of_windows_reaches_over_all_of_them() -> None:
    found = valid_windows(np.ones((1, 1009), np.bool_), 5, 5, (0, 1009), 1.0, CPU)
    assert found.spread(10).tolist() == [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]
    assert len(found.spread(5000)) == found.count == 1000
