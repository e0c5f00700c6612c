import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from jobs import cli
from jobs.tune import GENERATION, Plan, identity, search
from jobs.tune_trial import RUNGS, evaluate
from nt_ray.backtest.search.objective import Objective, SearchError
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


def test_random_search_evaluates_the_samples_of_the_space(
    objective: Objective, space: SearchSpace, tmp_path: Path
) -> None:
    plan = Plan("random", 6, "sharpe", TRAINING, seed=3)
    frame = ranked(objective, space, plan, tmp_path)
    samples = [space.sample(3, number) for number in range(6)]
    assert sorted(frame["lookback"]) == sorted(v["lookback"] for v in samples)
    expected = max(objective.measured(v, 0, TRAINING)["sharpe"] or -9.0 for v in samples)
    assert frame["score"][0] == expected
    assert not (tmp_path / "tune").exists()


def test_a_search_goes_on_from_its_log_without_computing_anything_twice(
    objective: Objective, space: SearchSpace, tmp_path: Path
) -> None:
    log = EvaluationLog(tmp_path, identity(objective))
    for number in range(3):
        # A log that lies: only what is looked up can come back with this score.
        log.add(Evaluation(str(number), space.sample(3, number), 0, TRAINING, {"sharpe": 77.0}))
    last, log = run(objective, space, Plan("random", 5, "sharpe", TRAINING, seed=3), tmp_path)
    assert sum(e.metrics["sharpe"] == 77.0 for e in last) == 3
    assert len(log.known) == 5


def test_tpe_is_the_same_for_the_same_seed_and_learns_after_its_first_generation(
    objective: Objective, space: SearchSpace, tmp_path: Path
) -> None:
    plan = Plan("optuna", GENERATION + 2, "sharpe", TRAINING, seed=5)
    one = ranked(objective, space, plan, tmp_path / "one")
    assert one.equals(ranked(objective, space, plan, tmp_path / "two"))
    assert one.height == plan.trials
    for row in one.select("lookback", "entry").iter_rows(named=True):
        assert space.nearest(row) == row


def test_asha_gives_up_the_worst_on_a_short_history(objective: Objective, space: SearchSpace, tmp_path: Path) -> None:
    plan = Plan("asha", 9, "sharpe", TRAINING, seed=3)
    last, log = run(objective, space, plan, tmp_path)
    shares = sorted(e.after for e in last)
    assert set(shares) <= {TRAINING * rung // RUNGS[-1] for rung in RUNGS}
    assert shares[0] < TRAINING == shares[-1]
    assert len(log.known) < 9 * len(RUNGS)
    for e in last:
        assert e.metrics == objective.measured(e.values, 0, e.after)


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


def test_the_command_scores_on_training_days_and_reports_on_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The cluster of all tests stays up.
    monkeypatch.setattr("actors.cluster.disconnect", lambda: None)
    options = (
        "search momentum --param lookback=10:120 --param entry=0.2:1.5 --trials 5 --symbols AAPL,KO "
        f"--start 2018-01-01 --train-until 2020-12-31 --seed 3 --json --runs {tmp_path}"
    )
    assert cli.main(options.split()) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["training"][1].startswith("2020-12-31")
    assert summary["held_out"][0].startswith("2021-01-04")
    folder = Path(summary["folder"])
    frame = pl.read_parquet(folder / CANDIDATES)
    best = summary["best"]
    assert best["score"] == frame["score"].max() == best["train"]["sharpe"]
    assert best["test"]["sharpe"] == frame["test_sharpe"][0] != best["score"]
    assert 0.0 <= best["deflated_sharpe"] <= 1.0
    assert best["tried"] == 5
    assert "Candidates" in (folder / "search.html").read_text()
    assert cli.main([*options.split(), "--resume", str(folder)]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["best"] == best
    assert again["folder"] == summary["folder"]
