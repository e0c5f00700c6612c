import json
from pathlib import Path

import polars as pl
import pytest

from nt_ray.backtest.search.objective import KEPT, SearchError
from nt_ray.backtest.search.result import LOG, Evaluation, EvaluationLog, candidates, key_of, with_held_out
from nt_ray.errors import StorageError

IDENTITY = {"strategy": "momentum", "data": "abc"}


def evaluation(
    name: str, lookback: float, sharpe: float | None, after: int = 90, error: str | None = None
) -> Evaluation:
    metrics = {} if error else dict.fromkeys(KEPT, 0.25) | {"sharpe": sharpe}
    return Evaluation(name, {"lookback": lookback}, 0, after, metrics, error)


def test_a_log_gives_back_what_was_added_and_keeps_each_evaluation_once(tmp_path: Path) -> None:
    log = EvaluationLog(tmp_path, IDENTITY)
    first, second = evaluation("a", 20.0, 1.0), evaluation("b", 30.0, None, error="refused")
    for added in (first, second, evaluation("again", 20.0, 1.0)):
        log.add(added)
    again = EvaluationLog(tmp_path, IDENTITY)
    assert again.known == {first.key: first, second.key: second}
    assert len((tmp_path / LOG).read_text().splitlines()) == 3


def test_half_a_line_of_a_search_that_was_killed_is_dropped(tmp_path: Path) -> None:
    log = EvaluationLog(tmp_path, IDENTITY)
    log.add(evaluation("a", 20.0, 1.0))
    with (tmp_path / LOG).open("a") as file:
        file.write('{"candidate": "b", "val')
    again = EvaluationLog(tmp_path, IDENTITY)
    assert len(again.known) == 1
    again.add(evaluation("b", 30.0, 2.0))
    assert len(EvaluationLog(tmp_path, IDENTITY).known) == 2


def test_a_search_with_other_data_is_not_resumed(tmp_path: Path) -> None:
    EvaluationLog(tmp_path, IDENTITY)
    with pytest.raises(SearchError, match="data = 'abc', not 'xyz'"):
        EvaluationLog(tmp_path, {**IDENTITY, "data": "xyz"})


@pytest.mark.parametrize("text", ["nonsense\n", '{"strategy": "momentum", "data": "abc"}\n{"other": 1}\n', "\n"])
def test_a_log_that_is_not_one_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / LOG).write_text(text)
    with pytest.raises(StorageError, match="cannot be read"):
        EvaluationLog(tmp_path, IDENTITY)


def test_the_order_in_which_parameters_are_named_does_not_matter() -> None:
    assert key_of({"a": 1.0, "b": 2.0}, 0, 9) == key_of({"b": 2.0, "a": 1.0}, 0, 9)


def test_candidates_are_ranked_whole_ones_first_and_undefined_ones_last() -> None:
    rows = [
        evaluation("a", 20.0, 0.5),
        evaluation("b", 30.0, 9.0, after=10),
        evaluation("c", 40.0, 1.5),
        evaluation("d", 50.0, None),
        evaluation("e", 60.0, None, error="refused"),
        evaluation("same as c", 40.0, 1.5),
        evaluation("f", 15.0, 0.5),
    ]
    frame = candidates(rows, ["lookback"], "sharpe", 90)
    assert frame["lookback"].to_list() == [40.0, 15.0, 20.0, 50.0, 60.0, 30.0]
    assert frame["score"].to_list() == [1.5, 0.5, 0.5, None, None, 9.0]
    assert frame["share"].to_list()[-1] == pytest.approx(1 / 9)
    assert frame.filter(pl.col("lookback") == 60.0)["error"].to_list() == ["refused"]


def test_held_out_metrics_stand_beside_the_first_rows() -> None:
    frame = candidates([evaluation("a", 20.0, 1.0), evaluation("b", 30.0, 0.5)], ["lookback"], "sharpe", 90)
    measured = with_held_out(frame, [dict.fromkeys(KEPT, 0.125)])
    assert measured["test_sharpe"].to_list() == [0.125, None]
    assert with_held_out(frame, [None, None])["test_cagr"].to_list() == [None, None]


def test_the_log_is_plain_json(tmp_path: Path) -> None:
    EvaluationLog(tmp_path, IDENTITY).add(evaluation("a", 20.0, 1.0))
    header, row = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert header == IDENTITY
    assert row["values"] == {"lookback": 20.0}
