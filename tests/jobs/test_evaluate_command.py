import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs.cli import main
from jobs.evaluate import _quick
from nt_ray.neural.scoring.leak import CHANGES, REMOVED
from nt_ray.neural.training.recipe import Recipe

DATA = ("--symbols", "KO,PEP", "--start", "2019-01-01")
WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="what is tested is that there is no GPU")
SMALL = (*DATA, "--lookback", "12", "--horizon", "3", "--steps", "30")

Answer = Callable[..., dict[str, Any]]


def test_a_network_is_judged_beside_the_naive_rows_and_found_without_a_leak(answer: Answer) -> None:
    found = answer("evaluate", "rlinear", *SMALL, "--target", "returns", "--seeds", "2", "--stride", "2")
    assert [row["name"] for row in found["rows"]] == ["last value", "drift", "mean", "zero", "rlinear"]
    assert found["reference"] == "zero"
    assert isinstance(found["verdicts"]["rlinear"]["beats"], bool)
    assert found["leaks"] == {"rlinear": []}
    assert set(found["traded"]["rlinear"]) == {"forecast", "buy_and_hold", "turnover", "commissions", "bars"}
    folder = Path(found["folder"])
    assert json.loads((folder / "evaluation.json").read_text()) == found
    assert "beats" in (folder / "evaluation.html").read_text()


def test_intervals_that_know_errors_to_come_are_told_of_as_a_leak(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def over_everything(truth: Any, mean: Any, origins: Any, halflife: float) -> Any:
        del origins, halflife
        errors = np.nan_to_num(np.abs(truth - mean)).mean(axis=1, keepdims=True)
        return np.broadcast_to(errors + 1.0, mean.shape).copy()

    monkeypatch.setattr("nt_ray.neural.scoring.intervals.recent_errors", over_everything)
    quick = ("--set", "neural.training.head=mse", "--seeds", "1", "--folds", "2", "--no-trade")
    found = answer("evaluate", "rlinear", *SMALL, *quick, code=1)["leaks"]["rlinear"]
    assert any(sentence.startswith("seed 7: 80% interval of KO") for sentence in found), found
    assert not any("forecast" in sentence.split(" of ")[0] for sentence in found)


def test_people_see_the_table_and_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ("--seeds", "1", "--folds", "1", "--no-leaks", "--no-trade", "--no-progress")
    assert main(["evaluate", "rlinear", "dlinear", *SMALL, *quick]) == 0
    printed = capsys.readouterr().out
    assert "rlinear beats the last value: " in printed
    assert "dlinear beats the last value: " in printed
    assert "90%" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("rlinear", "--refit", "never"), "bad_input", "fold, warm, once"),
        (("rlinaer",), "neural", "did you mean"),
        (("rlinear", "rlinear"), "neural", "not distinct"),
        (("rlinear", "--horizon", "900"), "neural", "900"),
        pytest.param(
            ("rlinear", "--set", "neural.training.gpu=true"), "neural", "this machine has 0 GPUs", marks=WITHOUT_GPU
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(answer: Answer, arguments: tuple[str, ...], code: str, words: str) -> None:
    error = answer("evaluate", *SMALL, *arguments, code=2)["error"]
    assert error["code"] == code
    assert words in error["message"]


def test_a_trained_model_forecasts_by_its_folder_and_by_its_alias(answer: Answer) -> None:
    trained = answer("train", "rlinear", *SMALL, "--register", "drinks")
    by_folder = answer("forecast", trained["bundle"], *DATA, "--interval", "0.8")
    assert answer("forecast", "drinks/1", *DATA, "--interval", "0.8") == by_folder | {"model": "drinks/1"}
    assert by_folder["target"] == "close"
    drink = by_folder["series"]["KO"]
    low, high = drink["intervals"]["0.8"]["low"], drink["intervals"]["0.8"]["high"]
    assert len(low) == len(drink["mean"]) == 3
    assert np.all(np.array(low) < np.array(high))
    few = answer("forecast", "drinks/1", *DATA, "--history", "2")
    assert few["series"]["PEP"]["intervals"]["0.9"]["low"] == [None] * 3


def test_a_forecast_is_shown_as_a_table(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    trained = answer("train", "rlinear", *SMALL)
    assert main(["forecast", trained["bundle"], *DATA]) == 0
    printed = capsys.readouterr().out
    assert "90% interval" in printed
    assert "+3" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing",), "bad_input", "nothing@champion"),
        (("nothing@champion",), "unknown_model", "nothing"),
    ],
)
def test_an_unknown_model_is_named(answer: Answer, arguments: tuple[str, ...], code: str, words: str) -> None:
    error = answer("forecast", *arguments, *DATA, code=2)["error"]
    assert error["code"] == code
    assert words in error["message"]


def test_the_leak_test_validates_as_the_network_does_but_where_nothing_would_be_left_to_validate_on() -> None:
    recipe = Recipe(model="rlinear", lookback=12, horizon=3, steps=500, validation=0.2, validate_every=100, patience=3)
    (validated, changes), (plain, others) = _quick(recipe)
    assert (validated.validation, validated.patience, validated.steps, validated.validate_every) == (0.2, 3, 20, 5)
    assert (plain.validation, plain.validate_every, plain.patience) == (0.0, 0, 0)
    assert sorted((*changes, *others)) == sorted(CHANGES)
    assert others == (REMOVED,)
    ((alone, every),) = _quick(recipe.model_copy(update={"validation": 0.0, "patience": 0, "validate_every": 0}))
    assert (alone.steps, every) == (20, CHANGES)
