import numpy as np
import pytest

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.backtest.research.space import as_mapping, candidates, parse_space
from nt_ray.errors import StrategyError
from nt_ray.strategies.registry import find


def test_ranges_hold_both_ends_and_decimals_lose_none() -> None:
    space = parse_space(["lookback=20:200:20", "entry=0.1:0.7:0.1", "skip = 0, 5"])
    assert space["lookback"] == tuple(range(20, 201, 20))
    assert space["entry"] == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert space["skip"] == (0.0, 5.0)


@pytest.mark.parametrize(
    "text", ["lookback", "=3", "lookback=", "lookback=a", "lookback=1:2", "lookback=3:1:1", "lookback=1:9:0", "a=nan"]
)
def test_what_cannot_be_read_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ResearchError, match=r"--param"):
        parse_space([text])


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ResearchError, match="twice"):
        parse_space(["entry=1", "entry=2"])


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
