from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import stats

from nt_ray.market.source import load_panel
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.rivals import rivals
from nt_ray.neural.synthetic.stylised_facts import coarse_fine, distances, facts, hill
from nt_ray.types import FloatArray


@pytest.fixture(scope="module")
def index() -> FloatArray:
    span = datetime(2009, 5, 1, tzinfo=UTC), datetime(2018, 12, 31, 23, tzinfo=UTC)
    closes = load_panel("sp500-index", start=span[0], end=span[1]).closes[:, 0]
    return np.diff(np.log(closes))


def test_the_rivals_on_the_index_have_the_known_distances(index: FloatArray) -> None:
    """Reference: rows of 500 paths measured by another program, the one of GARCH near the published table's.

    60 paths have a noise of .0008 in the autocorrelations and .004 in the leverage of GARCH, by simulation.
    """
    real = facts(index)
    found = {name: distances(real, facts(draw(60, 4000, 0))) for name, draw in rivals(index).items()}
    garch, block, alone = (found[name] for name in ("GARCH(1,1)", "stationary bootstrap", "independent draws"))
    assert garch.returns == pytest.approx(0.0230, abs=0.0008)
    assert garch.absolute == pytest.approx(0.0279, abs=0.0035)
    assert garch.squares == pytest.approx(0.0265, abs=0.0025)
    assert garch.leverage == pytest.approx(0.456, abs=0.02)
    assert alone.absolute == pytest.approx(0.0693, abs=0.0015)
    assert alone.leverage == pytest.approx(0.448, abs=0.015)
    assert block.absolute == pytest.approx(0.0314, abs=0.002)
    assert block.squares == pytest.approx(0.0232, abs=0.002)
    assert block.leverage == pytest.approx(0.256, abs=0.015)
    assert (len(index), real.skew, real.excess_kurtosis) == (
        2433,
        pytest.approx(-0.43, abs=0.01),
        pytest.approx(4.07, abs=0.01),
    )


def test_a_history_is_at_no_distance_from_itself(index: FloatArray) -> None:
    one = facts(index)
    found = distances(one, one)
    assert (found.deviation, found.absolute, found.leverage, found.emd, found.hill_low, found.coarse_fine) == (
        1,
        0,
        0,
        0,
        0,
        0,
    )


def test_moments_and_earth_movers_distance_equal_scipys() -> None:
    rng = np.random.default_rng(6)
    real, paths = rng.standard_t(5, 2000), 1.5 * rng.standard_t(5, (4, 2000)) + 0.1
    one, other = facts(real, 20), facts(paths, 20)
    assert other.skew == pytest.approx(stats.skew(paths.ravel()))
    assert other.excess_kurtosis == pytest.approx(stats.kurtosis(paths.ravel()))
    found = distances(one, other)
    assert found.emd == pytest.approx(stats.wasserstein_distance(real, paths.ravel()), rel=0.01)
    assert found.deviation == pytest.approx(paths.std() / real.std())


def test_hills_index_of_a_pareto_tail_is_its_exponent() -> None:
    values = np.random.default_rng(7).pareto(3.0, 200_000) + 1.0
    assert hill(values) == pytest.approx(3.0, rel=0.03)
    by_hand = np.sort(values)[::-1][: int(0.05 * len(values)) + 1]
    assert hill(values) == pytest.approx(1.0 / np.mean(np.log(by_hand[:-1] / by_hand[-1])), rel=1e-9)
    assert np.isnan(hill(-values))


def test_coarse_moves_that_raise_later_volatility_are_seen() -> None:
    rng = np.random.default_rng(8)
    path, level = np.empty(20_000), 1.0
    for block in range(0, len(path), 5):
        path[block : block + 5] = level * rng.standard_normal(5)
        level = 0.3 + 0.5 * abs(path[block : block + 5].sum())
    assert coarse_fine(path) > 0.02
    assert coarse_fine(path[::-1].copy()) < -0.02


@pytest.mark.parametrize("wrong", [np.ones((2, 400)), np.full(400, np.nan), np.arange(100.0)])
def test_paths_without_curves_are_refused(wrong: FloatArray) -> None:
    with pytest.raises(NeuralError, match="Give"):
        facts(wrong)
