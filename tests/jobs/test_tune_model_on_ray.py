"""Searches for networks through Ray Tune itself: its scheduler, its searcher, its worker processes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.tune import Algorithm, Plan, Recorder, _tpe
from jobs.tune_model import Search
from jobs.tune_trial import RUNGS
from nt_ray.backtest.search.result import Evaluation, EvaluationLog
from nt_ray.neural.inference.bundle import describe_bundle, load_bundle
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.search import parse_model_space
from nt_ray.neural.training.training import Training

pytestmark = pytest.mark.usefixtures("ray_cluster", "two_at_a_time")
CLOCK = np.arange(150)
PANEL = SeriesPanel(
    ("a", "b"),
    np.datetime64("2026-01-01", "us") + CLOCK * np.timedelta64(1, "h"),
    np.stack([np.sin(CLOCK / 3.0), np.cos(CLOCK / 5.0)]) + 0.1 * np.random.default_rng(4).normal(size=(2, 150)),
)
BASE = Recipe(model="rlinear", lookback=12, horizon=3, batch=16, steps=45, validation=0.2, validate_every=5)

Answer = Callable[..., dict[str, Any]]


def searched(algorithm: Algorithm, trials: int, folder: Path) -> tuple[Search, Recorder, list[Evaluation]]:
    """What was searched, what was recorded, and the evaluations in the order in which they came in."""
    space = parse_model_space(BASE, ["lr=1e-5:1e-1:log", "weight_decay=1e-6:1:log"])
    search = Search.of(PANEL, space, Plan(algorithm, trials, "validation_loss", BASE.steps, seed=7))
    told: list[Evaluation] = []
    return search, search.run(EvaluationLog(folder, search.identity()), folder, told.append), told


def loss_of(search: Search, values: Mapping[str, float], until: int) -> float:
    """Validation loss of a candidate that is trained here."""
    run = Training(PANEL, search.space.recipe(values))
    run.run(until=until)
    return run.best.loss


def test_asha_gives_up_whoever_is_below_the_best_third_of_its_rung(tmp_path: Path) -> None:
    search, found, told = searched("asha", 9, tmp_path)
    reached = {name: evaluation.after for name, evaluation in found.last.items()}
    assert len(reached) == 9
    # The rule, followed through the evaluations as they came in.
    best_third = 100.0 * (1.0 - 1.0 / 3.0)
    for rung, after in enumerate(search.ends[: len(RUNGS) - 1]):
        seen: list[float] = []
        for evaluation in (e for e in told if e.after == after):
            score = -evaluation.metrics["validation_loss"]
            goes_on = not seen or score >= np.percentile(seen, best_third)
            assert (reached[evaluation.candidate] > after) == goes_on, f"at rung {rung}"
            seen.append(score)
    assert min(reached.values()) == search.ends[0], "nobody was given up"
    assert max(reached.values()) == search.ends[-1]
    for evaluation in told:
        assert evaluation.metrics["validation_loss"] == loss_of(search, evaluation.values, evaluation.after)
    # The best is chosen among all, and is trained again to the very score that Tune heard of.
    trained, values = search.best(found)
    assert -max(result["score"] for result in found.results.values()) == min(loss for _, loss in trained.validations)
    assert values in [dict(evaluation.values) for evaluation in found.last.values()]


def test_tpe_hears_of_the_losses_and_proposes_what_it_would_with_no_cluster_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.tune.GENERATION", 3)
    monkeypatch.setattr("jobs.tune.STARTUP", 3)
    search, found, _ = searched("optuna", 6, tmp_path)
    searcher = _tpe(search.space, search.plan)
    searcher.set_search_properties("score", "max", {})
    proposed: list[dict[str, float]] = []
    for generation in ("abc", "def"):
        asked = {name: {k: float(v) for k, v in searcher.suggest(name)["values"].items()} for name in generation}
        proposed += asked.values()
        for name, values in asked.items():
            result = {"score": -loss_of(search, values, search.ends[-1]), "training_iteration": 1}
            searcher.on_trial_complete(name, result)
    assert sorted(v["lr"] for v in proposed) == sorted(e.values["lr"] for e in found.last.values())
    assert sorted(v["weight_decay"] for v in proposed) == sorted(e.values["weight_decay"] for e in found.last.values())
    drawn = [search.space.sample(7, number)["lr"] for number in range(6)]
    assert not set(drawn) & {e.values["lr"] for e in found.last.values()}, "these are the draws of random"


def test_a_closed_form_is_searched_by_its_penalty_and_kept_with_the_best_one(answer: Answer) -> None:
    some = ("--symbols", "KO,PEP", "--start", "2021-01-01", "--lookback", "12", "--horizon", "3")
    ridge = ("--set", "neural.training.solver=ridge")
    found = answer(
        "tune", "rlinear", *some, *ridge, "--param", "penalty=0.01,1,100", "--trials", "5", "--register", "r"
    )
    assert found["failed"] == 0
    tried = {row["penalty"]: row["validation_loss"] for row in found["table"]}
    assert len(tried) > 1
    kept = describe_bundle(Path(found["bundle"]))
    penalty = found["best"]["values"]["penalty"]
    assert tried[penalty] == min(tried.values()) == found["best"]["validation_loss"]
    assert (kept.recipe.solver, kept.recipe.penalties) == ("ridge", (penalty,))
    assert kept.lineage.metrics["penalty"] == penalty
    # The weights are those that the penalty is solved to without a search.
    alone = answer("train", "rlinear", *some, *ridge, "--set", f"neural.training.penalties={penalty}")
    one, other = (load_bundle(Path(made["bundle"])).network.state_dict() for made in (found, alone))
    assert all(bool((one[name] == other[name]).all()) for name in one)
