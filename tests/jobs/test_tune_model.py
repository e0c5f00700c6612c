from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nt_ray.neural.inference.bundle import load_bundle

SMALL = (
    "--symbols", "KO,PEP", "--start", "2021-01-01", "--lookback", "12", "--horizon", "3", "--steps", "45",
    "--param", "lr=1e-4:1e-1:log",
)  # fmt: skip

Answer = Callable[..., dict[str, Any]]


@pytest.mark.usefixtures("ray_cluster", "two_at_a_time")
def test_the_best_model_is_kept_and_a_search_goes_on_from_its_log(answer: Answer) -> None:
    # The one algorithm whose candidates change on their way, and hand their weights to each other.
    options = ("tune", "rlinear", *SMALL, "--algorithm", "pbt", "--trials", "4", "--windows", "3")
    found = answer(*options, "--register", "best")
    assert 1 <= found["candidates"] <= 4
    assert found["evaluations"] == 12
    assert found["failed"] == 0
    losses = [row["validation_loss"] for row in found["table"]]
    assert losses == sorted(losses)
    # The kept model is the very network that won.
    assert found["best"]["validation_loss"] == losses[0]
    assert found["registered"] == "best/1"
    trained = load_bundle(Path(found["bundle"]))
    assert trained.recipe.lr == found["best"]["values"]["lr"]
    page = (Path(found["folder"]) / "search.html").read_text()
    assert "figure-parallel" in page
    log = Path(found["folder"]) / "evaluations.jsonl"
    written = log.read_text()
    again = answer(*options, "--resume", found["folder"])
    assert (again["best"], again["table"]) == (found["best"], found["table"])
    assert log.read_text() == written


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--algorithm", "pbt", "--param", "batch=8:16"), "neural", "batch cannot change"),
        (("--algorithm", "grid"), "search", "random, optuna"),
        (("--param", "lr=2:1"), "parameters", "lr"),
        (("--resume", "nowhere"), "bad_input", "is no folder"),
        (("--set", "neural.training.validation=0"), "neural", "chooses by validation"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: str, words: str
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("Ray was started for nothing")

    monkeypatch.setattr("actors.cluster.connect", never)
    plain = [a for a in SMALL if not ("--param" in arguments and a in ("--param", "lr=1e-4:1e-1:log"))]
    error = answer("tune", "rlinear", *plain, *arguments, code=2)["error"]
    assert words in error["message"]
    assert error["code"] == code
