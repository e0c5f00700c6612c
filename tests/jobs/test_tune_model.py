import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs.tune import Plan, _tpe
from jobs.tune_model import Search
from jobs.tune_model_trial import WORST, ModelCandidate, ModelWork
from nt_ray.backtest.search.result import Evaluation, EvaluationLog
from nt_ray.neural.inference.bundle import load_bundle
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.search import parse_model_space
from nt_ray.neural.training.training import Training

SMALL = (
    "--symbols", "KO,PEP", "--start", "2021-01-01", "--lookback", "12", "--horizon", "3", "--steps", "45",
    "--param", "lr=1e-4:1e-1:log",
)  # fmt: skip

RIDGE = ("--set", "neural.training.solver=ridge")

Answer = Callable[..., dict[str, Any]]


@pytest.mark.usefixtures("ray_cluster", "two_at_a_time")
def test_the_best_model_is_kept_and_a_search_goes_on_from_its_log(answer: Answer) -> None:
    # The one algorithm whose candidates change on their way, and hand their weights to each other.
    options = ("tune", "rlinear", *SMALL, "--algorithm", "pbt", "--trials", "4", "--windows", "2")
    found = answer(*options, "--register", "best")
    assert 1 <= found["candidates"] <= 4
    assert found["evaluations"] == 8
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
    # Killed after five of eight evaluations, in the middle of a line: the rest are made again, to the same bits.
    log = Path(found["folder"]) / "evaluations.jsonl"
    header, *rows = log.read_text().splitlines(keepends=True)
    log.write_text(header + "".join(rows[:5]) + rows[5][:20])
    again = answer(*options, "--resume", found["folder"])
    assert (again["best"], again["table"]) == (found["best"], found["table"])
    after = log.read_text().splitlines(keepends=True)
    assert after[:6] == [header, *rows[:5]]
    assert sorted(map(measured, after[6:])) == sorted(map(measured, rows[5:]))


def measured(line: str) -> str:
    """What a line of the log says but for the name of its trial, which each search gives anew."""
    return json.dumps({key: value for key, value in json.loads(line).items() if key != "candidate"})


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--algorithm", "pbt", "--param", "batch=8:16"), "neural", "batch cannot change"),
        (("--algorithm", "grid"), "search", "random, optuna"),
        (("--param", "lr=2:1"), "parameters", "lr"),
        (("--resume", "nowhere"), "bad_input", "is no folder"),
        (("--set", "neural.training.validation=0"), "neural", "chooses by validation"),
        ((*RIDGE, "--param", "lr=1e-4:1e-2"), "neural", "solved in closed form, which nothing else changes"),
        ((*RIDGE, "--param", "penalty=0:1"), "neural", "penalty=0"),
        (
            (*RIDGE, "--param", "penalty=1:2", "--algorithm", "asha"),
            "neural",
            "asha judges candidates while",
        ),
        ((*RIDGE, "--param", "penalty=1:2", "--algorithm", "pbt"), "neural", "Use random or optuna"),
        pytest.param(
            ("--set", "neural.training.gpu=true"),
            "neural",
            "this machine has 0 GPUs",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="what is tested is that there is no GPU"),
        ),
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


CLOCK = np.arange(150)
PANEL = SeriesPanel(
    ("a", "b"),
    np.datetime64("2026-01-01", "us") + CLOCK * np.timedelta64(1, "h"),
    np.stack([np.sin(CLOCK / 3.0), np.cos(CLOCK / 5.0)]) + 0.1 * np.random.default_rng(4).normal(size=(2, 150)),
)
BASE = Recipe(
    model="gru",
    parameters={"layers": 1.0},
    lookback=12,
    horizon=3,
    batch=16,
    steps=45,
    validation=0.2,
    validate_every=5,
)
SPACE = parse_model_space(BASE, ["lr=1e-3:1e-1:log", "hidden=4,8"])


def plan(algorithm: Any, trials: int = 4) -> Plan:
    return Plan(algorithm, trials, "validation_loss", BASE.steps, seed=7)


def candidate(search: Search, values: Mapping[str, float], known: Mapping[Any, Any]) -> ModelCandidate:
    """A candidate in this process, as Tune would have it in a worker."""
    work = ModelWork(search.panel, search.space, search.ends, known, search.device)

    class Here(ModelCandidate):
        def setup(self, config: dict[str, Any]) -> None:  # type: ignore[override]
            super().setup(config, work)

    return Here({"values": values})


def climbed(one: ModelCandidate, steps: int) -> list[dict[str, Any]]:
    return [one.step() for _ in range(steps)]


def test_a_candidate_climbs_the_rungs_of_asha_and_goes_on_from_the_log_of_a_killed_search(tmp_path: Path) -> None:
    search = Search.of(PANEL, SPACE, plan("asha"))
    assert search.ends == (5, 15, 45)
    values = SPACE.sample(7, 0)
    told = climbed(candidate(search, values, {}), 3)
    assert [(row["units"], row["evaluation"]["after"], row["done"]) for row in told] == [
        (1, 5, False),
        (3, 15, False),
        (9, 45, True),
    ]
    # The measure: one training in one piece, read at each rung.
    run = Training(PANEL, search.space.recipe(values))
    for row in told:
        run.run(until=row["evaluation"]["after"])
        assert row["evaluation"]["metrics"]["validation_loss"] == run.best.loss
        assert row["score"] == -run.best.loss
    log = EvaluationLog(tmp_path, search.identity())
    for row in told[:2]:
        log.add(Evaluation("one", row["values"], **row["evaluation"]))
    known = dict(EvaluationLog(tmp_path, search.identity()).known)
    resumed = candidate(search, values, known)
    assert climbed(resumed, 2) == told[:2]
    # What was looked up was not trained, and what follows is trained from the beginning, to the same bits.
    assert resumed.run is None
    assert climbed(resumed, 1) == told[2:]
    moved = candidate(search, values, {})
    climbed(moved, 1)
    moved.save_checkpoint(str(tmp_path))
    elsewhere = candidate(search, values, {})
    elsewhere.load_checkpoint(str(tmp_path))
    assert climbed(elsewhere, 2) == told[1:]


def test_tpe_proposes_networks_of_the_space_and_learns_from_their_scores() -> None:
    search = Search.of(PANEL, SPACE, plan("optuna", trials=30))
    assert search.ends == (45,)
    proposed: list[list[dict[str, float]]] = []
    for _ in range(2):
        searcher = _tpe(search.space, search.plan).searcher
        proposed.append([])
        for number in range(30):
            values = {k.removeprefix("values/"): v for k, v in searcher.suggest(str(number))["values"].items()}
            assert 1e-3 <= values["lr"] <= 1e-1
            assert values["hidden"] in (4, 8)
            proposed[-1].append(values)
            # The nearer to the lower end, the better.
            searcher.on_trial_complete(str(number), {"score": -np.log(values["lr"])})
    assert proposed[0] == proposed[1]
    rates = [np.log10(values["lr"]) for values in proposed[0]]
    assert np.mean(rates[-10:]) < np.mean(rates[:10]) - 0.3
    (told,) = climbed(candidate(search, proposed[0][0], {}), 1)
    assert told["done"]
    assert told["score"] == -loss_of(search, proposed[0][0])


def loss_of(search: Search, values: Mapping[str, float]) -> float:
    run = Training(PANEL, search.space.recipe(values))
    run.run()
    return run.best.loss


def test_a_candidate_that_cannot_be_trained_is_the_worst_and_says_why() -> None:
    search = Search.of(PANEL, parse_model_space(BASE, ["lookback=12,140"]), plan("random"))
    (told,) = climbed(candidate(search, {"lookback": 140.0}, {}), 1)
    assert told["score"] == WORST
    assert told["done"]
    assert "140 + 3" in told["evaluation"]["error"]
