import numpy as np
import polars as pl
import pytest

from nt_ray.reports.importance import FEWEST, importance, importance_figure


def table(rows: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    a, b, c = rng.random((3, rows))
    return pl.DataFrame({"a": a, "b": b, "c": c, "score": np.sin(6 * a) + 0.3 * b + 0.05 * rng.normal(size=rows)})


def test_what_decides_stands_first_and_chance_explains_next_to_nothing() -> None:
    shares = importance(table(400), ["c", "b", "a"], "score")
    assert list(shares)[:2] == ["a", "b"]
    # Up and down again: no correlation would see it.
    assert shares["a"] > 0.7
    assert shares["c"] < 0.05


def test_pure_chance_explains_nothing_on_average() -> None:
    rng = np.random.default_rng(3)
    found = [
        importance(pl.DataFrame({"a": rng.random(40), "score": rng.random(40)}), ["a"], "score")["a"]
        for _ in range(200)
    ]
    assert float(np.mean(found)) < 0.08


def test_few_values_are_groups_of_their_own() -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0] * 10, "score": [0.0, 1.0] * 10})
    assert importance(frame, ["a"], "score")["a"] == pytest.approx(1.0)


def test_failed_candidates_do_not_count_and_few_say_nothing() -> None:
    frame = table(30).with_columns(score=pl.when(pl.col("a") < 0.5).then(None).otherwise("score"))
    assert importance(frame, ["a"], "score") == importance(frame.drop_nulls(), ["a"], "score")
    assert importance(table(FEWEST - 1), ["a"], "score") == {}
    assert importance(table(20).with_columns(score=pl.lit(1.0)), ["a"], "score") == {"a": 0.0}


def test_bars_show_the_largest_on_top() -> None:
    bar = importance_figure({"a": 0.5, "b": 0.1})["data"][0]
    assert bar["y"] == ["b", "a"]
    assert bar["x"] == [0.1, 0.5]
