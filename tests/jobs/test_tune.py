import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from jobs import cli
from jobs.tune import Plan, _tpe, identity, search
from jobs.tune_trial import RUNGS, evaluate
from nt_ray.backtest.search.objective import Objective, SearchError, score
from nt_ray.backtest.search.result import CANDIDATES, Evaluation, EvaluationLog, candidates
from nt_ray.backtest.search.space import SearchSpace, parse_space
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.source import load_panel
from nt_ray.portfolio.sizing import SizingParams
from nt_ray.strategies.registry import find

pytestmark = pytest.mark.usefixtures("ray_cluster")
TRAINING = 540


@pytest.fixture(scope="module")
def objective() -> Objective:
    panel = load_panel("sp500", symbols=["AAPL", "KO"], start=datetime(2020, 1, 1, tzinfo=UTC))
    return Objective(panel, find("momentum"), SizingParams(), Costs(), Decimal(100_000))


@pytest.fixture
def space() -> SearchSpace:
    return parse_space(find("momentum"), ["lookback=10:120", "entry=0.2:1.5"])


def run(objective: Objective, space: SearchSpace, plan: Plan, folder: Path) -> tuple[list[Evaluation], EvaluationLog]:
    folder.mkdir(exist_ok=True)
    log = EvaluationLog(folder, identity(objective))
    return search(objective, space, plan, log, folder), log


def ranked(objective: Objective, space: SearchSpace, plan: Plan, folder: Path) -> pl.DataFrame:
    last, _ = run(objective, space, plan, folder)
    return candidates(last, list(space.domains), plan.goal, plan.training)


@pytest.mark.usefixtures("two_at_a_time")
def test_random_search_evaluates_the_samples_of_the_space_and_none_of_its_log_twice(
    objective: Objective, space: SearchSpace, tmp_path: Path
) -> None:
    log = EvaluationLog(tmp_path, identity(objective))
    samples = [space.sample(3, number) for number in range(4)]
    for number in range(2):
        # A log that lies: only what is looked up can come back with this score.
        log.add(Evaluation(str(number), samples[number], 0, TRAINING, {"sharpe": 77.0}))
    last, log = run(objective, space, Plan("random", 4, "sharpe", TRAINING, seed=3), tmp_path)
    found = {tuple(e.values.values()): e.metrics["sharpe"] for e in last}
    measured = [objective.measured(v, 0, TRAINING)["sharpe"] for v in samples[2:]]
    assert found == {tuple(v.values()): s for v, s in zip(samples, [77.0, 77.0, *measured], strict=True)}
    assert len(log.known) == 4
    assert not (tmp_path / "tune").exists()


@pytest.mark.usefixtures("two_at_a_time")
def test_tpe_proposes_what_its_sampler_proposes_with_no_cluster_at_all(
    objective: Objective, space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.tune.GENERATION", 3)
    monkeypatch.setattr("jobs.tune.STARTUP", 3)
    plan = Plan("optuna", 5, "sharpe", TRAINING, seed=5)
    last, _ = run(objective, space, plan, tmp_path)
    searcher = _tpe(space, plan)
    searcher.set_search_properties("score", "max", {})
    proposed: list[dict[str, float]] = []
    for generation in ("abc", "de"):
        asked = [searcher.suggest(name)["values"] for name in generation]
        proposed += [{k: float(v) for k, v in values.items()} for values in asked]
        for name, values in zip(generation, proposed[-len(generation) :], strict=True):
            reached = score(objective.measured(values, 0, TRAINING), "sharpe")
            searcher.on_trial_complete(name, {"score": reached, "training_iteration": 1})
    assert sorted(dict(e.values)["lookback"] for e in last) == sorted(v["lookback"] for v in proposed)
    assert {tuple(e.values.values()) for e in last} == {tuple(v.values()) for v in proposed}
    assert all(space.nearest(v) == v for v in proposed)


@pytest.mark.usefixtures("two_at_a_time")
def test_asha_gives_up_the_worst_on_a_short_history(objective: Objective, space: SearchSpace, tmp_path: Path) -> None:
    plan = Plan("asha", 9, "sharpe", TRAINING, seed=3)
    last, log = run(objective, space, plan, tmp_path)
    shares = sorted(e.after for e in last)
    assert set(shares) <= {TRAINING * rung // RUNGS[-1] for rung in RUNGS}
    assert shares[0] < TRAINING == shares[-1]
    assert len(log.known) < 9 * len(RUNGS)
    for e in last:
        assert e.metrics == objective.measured(e.values, 0, e.after)


@pytest.mark.usefixtures("two_at_a_time")
def test_a_population_is_the_same_for_the_same_seed_and_ends_on_the_whole_history(
    objective: Objective, space: SearchSpace, tmp_path: Path
) -> None:
    plan = Plan("pbt", 4, "sharpe", TRAINING, seed=3, windows=2)
    last, log = run(objective, space, plan, tmp_path / "one")
    assert [(e.first, e.after) for e in last] == [(0, TRAINING)] * 4
    begun = [space.sample(3, number) for number in range(4)]
    assert any(dict(e.values) not in begun for e in last), "nobody was replaced"
    assert {(e.first, e.after) for e in log.known.values()} == {(0, 270), (270, 540), (0, 540)}
    frame = candidates(last, list(space.domains), "sharpe", TRAINING)
    assert frame.equals(ranked(objective, space, plan, tmp_path / "two"))


def test_a_combination_that_the_strategy_refuses_is_reported_and_the_rest_goes_on(objective: Objective) -> None:
    metrics, error = evaluate(objective, {"entry": 0.1, "exit": 0.5}, 0, TRAINING)
    assert metrics == {}
    assert error is not None
    assert "exit=0.5" in error


def test_an_objective_of_other_costs_is_another_search(objective: Objective) -> None:
    dearer = replace(objective, costs=Costs(commission_bps=Decimal(5)))
    assert identity(objective) == identity(replace(objective))
    assert identity(objective) != identity(dearer)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"algorithm": "grid"}, "'grid' is not known"),
        ({"trials": 0}, "too few"),
        ({"algorithm": "pbt", "trials": 3}, "at least 4"),
        ({"windows": 400}, "400 windows do not fit"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(SearchError, match=said):
        Plan(**{"algorithm": "random", "trials": 5, "goal": "sharpe", "training": 500, "seed": 1, **changes})


@pytest.mark.usefixtures("two_at_a_time")
def test_the_command_scores_on_training_days_reports_on_the_rest_and_goes_on_in_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        "search momentum --param lookback=10:120 --param entry=0.2:1.5 --trials 3 --symbols AAPL,KO "
        f"--start 2018-01-01 --train-until 2020-12-31 --seed 3 --json --runs {tmp_path} --resume {tmp_path}"
    )
    assert cli.main(options.split()) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["training"][1].startswith("2020-12-31")
    assert summary["held_out"][0].startswith("2021-01-04")
    assert summary["folder"] == str(tmp_path)
    frame = pl.read_parquet(tmp_path / CANDIDATES)
    best = summary["best"]
    assert best["score"] == frame["score"].max() == best["train"]["sharpe"]
    assert best["test"]["sharpe"] == frame["test_sharpe"][0] != best["score"]
    assert 0.0 <= best["deflated_sharpe"] <= 1.0
    assert best["tried"] == 3 == summary["evaluations"]
    assert "Candidates" in (tmp_path / "search.html").read_text()
