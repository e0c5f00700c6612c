import math

import numpy as np
import pytest
from scipy import stats

from nt_ray.risk.monte_carlo.normals import fill_normals, fill_normals32, log64, normal_pair32, normal_pair64

RANDOM = np.random.default_rng(11)
EDGES = [0, 1, 2**29 - 1, 2**29, 2**30, 3 * 2**29, 2**31, 7 * 2**29, 2**32 - 1]


def words_with_edges(rows: int) -> np.ndarray:
    words = RANDOM.integers(0, 2**32, (rows, 50_000), dtype=np.uint32)
    corners = np.array(np.meshgrid(EDGES, EDGES)).reshape(2, -1)
    words[0, : corners.shape[1]], words[rows // 2, : corners.shape[1]] = corners
    return words


def test_single_normals_are_box_and_mullers() -> None:
    words = words_with_edges(2)
    found = np.empty((2, words.shape[1]), dtype=np.float32)
    normal_pair32(words[0], words[1], found[0], found[1])
    radius = np.sqrt(-2.0 * np.log((words[0] + 0.5) * 2.0**-32))
    angle = 2.0 * np.pi * words[1] / 2.0**32
    # Near the middle the radius follows a uniform of 24 bits, close to 1.
    for row, wanted in zip(found, (radius * np.cos(angle), radius * np.sin(angle)), strict=True):
        assert np.abs(row - wanted).max() < 3e-5
        assert np.abs(row - wanted)[radius > 0.1].max() < 2e-6
    assert np.abs(found).max() == pytest.approx(math.sqrt(-2.0 * math.log(2.0**-33)), rel=1e-6)


def test_double_normals_are_box_and_mullers() -> None:
    words = words_with_edges(4)
    found = np.empty((2, words.shape[1]))
    normal_pair64(words, found[0], found[1])
    w = words.astype(np.int64)
    radius = np.sqrt(-2.0 * np.log(((w[0] >> 5) * 2**26 + (w[1] >> 6) + 0.5) * 2.0**-53))
    angle = 2.0 * np.pi * ((w[2] * 2**21 + (w[3] >> 11)) * 2.0**-53)
    np.testing.assert_allclose(found[0], radius * np.cos(angle), atol=1e-14)
    np.testing.assert_allclose(found[1], radius * np.sin(angle), atol=1e-14)
    deepest = np.zeros((4, 1), dtype=np.uint32)
    normal_pair64(deepest, found[0, :1], found[1, :1])
    assert found[0, 0] == pytest.approx(math.sqrt(-2.0 * math.log(2.0**-54)), rel=1e-15)


def test_the_logarithm_is_that_of_the_library_to_its_last_bits() -> None:
    for x in (*RANDOM.random(2000).tolist(), 2.0**-54, 1e-300, 1.0, math.nextafter(1.0, 0.0), 1e300):
        assert log64(x) == pytest.approx(math.log(x), rel=4e-16, abs=0.0)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_normals_are_normal_and_independent_between_assets_scenarios_and_periods(kind: type) -> None:
    drawn = np.empty((2, 8, 20_000), dtype=kind)
    for period in range(2):
        fill_normals(7, 9, 0, period, np.empty((4, 20_000), dtype=np.uint32), drawn[period])
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-3
    rows = drawn.reshape(16, -1).astype(float)
    shifted = np.vstack([rows[:, :-1], rows[:, 1:]])
    # 31 * 32 / 2 pairs at five deviations of 1 / sqrt(n).
    assert np.abs(np.corrcoef(shifted) - np.eye(32)).max() < 5.0 / math.sqrt(20_000)
    assert np.abs((rows**2).mean(axis=1) - 1.0).max() < 5.0 * math.sqrt(2.0 / 20_000)


def test_a_normal_depends_on_seed_scenario_asset_and_period_alone() -> None:
    whole = np.empty((8, 100), dtype=np.float32)
    fill_normals32(1, 2, 1000, 3, np.empty((4, 100), dtype=np.uint32), whole)
    part = np.empty((4, 13), dtype=np.float32)
    fill_normals32(1, 2, 1040, 3, np.empty((4, 13), dtype=np.uint32), part)
    np.testing.assert_array_equal(part, whole[:4, 40:53])
    for other in ((2, 2, 1000, 3), (1, 3, 1000, 3), (1, 2, 1000, 4)):
        drawn = np.empty_like(whole)
        fill_normals32(*other, np.empty((4, 100), dtype=np.uint32), drawn)
        assert not (drawn == whole).any()
