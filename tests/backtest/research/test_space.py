import numpy as np
import pytest

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.space import as_mapping, candidates
from nt_ray.errors import StrategyError
from nt_ray.strategies.registry import find


def test_senseless_combinations_are_left_out_and_the_rest_are_whole_vectors() -> None:
    momentum = find("momentum")
    grid = candidates(momentum, {"entry": (0.5, 1.0), "exit": (0.0, 0.8)})
    pairs = [(v["entry"], v["exit"]) for v in (as_mapping(momentum, row) for row in grid)]
    assert pairs == [(0.5, 0.0), (1.0, 0.0), (1.0, 0.8)]
    assert np.array_equal(candidates(momentum, {})[0], momentum.vector())


def test_impossible_spaces_are_refused() -> None:
    momentum = find("momentum")
    with pytest.raises(StrategyError, match="no parameter 'lookbak'"):
        candidates(momentum, {"lookbak": (3.0,)})
    with pytest.raises(StrategyError, match="out of range"):
        candidates(momentum, {"lookback": (20.0, 1e9)})
    with pytest.raises(ResearchError, match="No combination"):
        candidates(momentum, {"entry": (0.5,), "exit": (1.0,)})
    with pytest.raises(ResearchError, match="has no values"):
        candidates(momentum, {"entry": ()})
    with pytest.raises(ResearchError, match="combinations"):
        candidates(momentum, {"entry": tuple(range(2000)), "exit": tuple(range(2000))})
