from typing import Any

import numpy as np
import pytest

from nt_ray.errors import StrategyError
from nt_ray.strategies.sentiment import STRATEGY
from nt_ray.types import FloatArray

NONE = float("nan")


def run(scores: Any, **values: float) -> tuple[FloatArray, FloatArray]:
    params = STRATEGY.vector(values)
    state, said = np.zeros(STRATEGY.state_size(params)), np.zeros(1)
    targets, confidences = np.zeros(len(scores)), np.zeros(len(scores))
    for t, score in enumerate(scores):
        bar = np.full((1, 6), NONE)
        bar[0, 3], bar[0, 5] = 10.0, score
        confidences[t] = STRATEGY.step(state, bar, params, said)
        targets[t] = said[0]
    return targets, confidences


def test_good_news_is_held_until_it_has_faded() -> None:
    # With a half-life of one bar 0.9 falls to 0.45, 0.225 and 0.1125.
    targets, confidences = run([NONE, 0.9, NONE, NONE, NONE, NONE], half_life=1.0, threshold=0.6, exit=0.2)
    assert targets.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    assert confidences[0] == 0.0
    assert confidences[1] == pytest.approx(1.5 / 2.5)
    assert confidences[4] == pytest.approx(1.0 / (1.0 + 0.1125 / 0.6))


def test_news_adds_up_and_bad_news_takes_away() -> None:
    scores = [0.4, 0.4, NONE, -0.9, -0.9, NONE]
    level, levels = 0.0, []
    for score in scores:
        level = np.clip(level * 0.5**0.5 + np.nan_to_num(score), -1.0, 1.0)
        levels.append(level)
    assert levels[0] < 0.6 < levels[1]
    assert levels[4] == -1.0
    assert run(scores, half_life=2.0)[0].tolist() == [0.0, 1.0, 1.0, 0.0, -1.0, -1.0]
    assert run(scores, half_life=2.0, short=0)[0].tolist() == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def test_bad_news_is_the_mirror_image_of_good_news() -> None:
    scores = np.array([0.9, 0.9, 0.9, NONE, NONE, NONE, -0.3, NONE])
    good, bad = run(scores, half_life=2.0), run(-scores, half_life=2.0)
    assert bad[0].tolist() == (-good[0]).tolist()
    assert bad[1].tolist() == good[1].tolist()
    assert len(set(good[1].tolist())) > 4


def test_a_score_out_of_bounds_counts_as_the_bound() -> None:
    fading = [NONE] * 8
    assert run([250.0, *fading], half_life=1.0)[0].tolist() == run([1.0, *fading], half_life=1.0)[0].tolist()


def test_silence_is_no_neutral_opinion() -> None:
    assert not run([NONE] * 5)[1].any()
    assert run([0.0])[1].tolist() == [1.0]


def test_an_exit_that_is_not_below_the_threshold_is_refused() -> None:
    with pytest.raises(StrategyError, match=r"exit=0.6 is not below threshold=0.6"):
        STRATEGY.vector({"exit": 0.6})
