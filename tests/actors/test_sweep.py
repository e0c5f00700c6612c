import json
from pathlib import Path

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from actors.sweep import RaySweep
from jobs import cli
from jobs import sweep as job
from nt_ray.backtest.sweep import Grid, SweepPlan, sweep
from nt_ray.backtest.sweep.engine import conduct
from nt_ray.backtest.sweep.store import SweepStore
from nt_ray.errors import ServiceError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.strategies.registry import find

CROSS = find("sma_cross")
GRID = Grid({"fast": [3, 5, 8, 13], "slow": [5, 20, 40]})


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    closes = 50.0 * np.exp(np.cumsum(np.random.default_rng(4).normal(0.0, 0.02, (300, 3)), axis=0))
    values = np.repeat(closes[:, :, None], 5, axis=2)
    values[:, :, 4] = 1e7
    return BarPanel(tuple(Instrument(f"S{i}") for i in range(3)), np.arange(300, dtype=np.int64), values)


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("size", [1, 5, 100])
def test_tasks_give_what_threads_give_for_any_size_of_chunks(size: int, panel: BarPanel) -> None:
    plan = SweepPlan(panel, CROSS, GRID)
    tasks = RaySweep(plan)
    tasks.warm_up()
    assert_frame_equal(conduct(plan, tasks.execute, size), sweep(panel, CROSS, GRID).runs)


@pytest.mark.usefixtures("ray_cluster")
def test_tasks_continue_from_finished_chunks(panel: BarPanel, tmp_path: Path) -> None:
    plan = SweepPlan(panel, CROSS, GRID)
    store = SweepStore.open(plan, 4, tmp_path)
    whole = sweep(panel, CROSS, GRID).runs
    store.write(4, whole.filter(whole["combination"].is_between(4, 7)))
    seen: list[int] = []
    tasks = RaySweep(plan)
    runs = conduct(plan, tasks.execute, store.size, store=store, on_chunk=lambda done, _: seen.append(done))
    assert_frame_equal(runs, whole)
    assert seen == [4, 8, 12]


@pytest.mark.usefixtures("ray_cluster")
def test_a_strategy_that_workers_would_not_find_is_refused(panel: BarPanel) -> None:
    with pytest.raises(ServiceError, match="not the strategy that workers would find"):
        RaySweep(SweepPlan(panel, CROSS, GRID), find=lambda _: find("momentum"))


@pytest.mark.usefixtures("ray_cluster")
def test_the_command_ranks_continues_and_writes_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (
        f"sweep sma_cross --param fast=5,10 --param slow=10:40:10 --symbols KO,PEP --start 2015-01-02 "
        f"--runs {tmp_path} --top 3 --metric sortino --json --no-progress"
    ).split()
    assert cli.main(arguments) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["combinations"] == 8
    assert first["failed"] == 2
    assert [row["sortino"] for row in first["best"]] == sorted((r["sortino"] for r in first["best"]), reverse=True)
    assert sorted(p.name for p in Path(first["folder"]).iterdir()) == [
        "chunks",
        "results.parquet",
        "summary.json",
        "sweep.html",
        "sweep.json",
    ]
    assert cli.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["best"] == first["best"]
    # Neither threads nor the workers of Ray change a result.
    assert cli.main([*arguments, "--ray", "--no-resume"]) == 0
    assert json.loads(capsys.readouterr().out)["best"] == first["best"]


def test_where_no_ray_is_named_the_command_starts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(job, "prepare", lambda _: pytest.fail("Ray was prepared"))
    arguments = f"sweep sma_cross --param fast=5,10 --symbols KO --runs {tmp_path} --json --no-progress".split()
    assert cli.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("sweep sma_cross", "No parameter is varied"),
        ("sweep sma_cros --param fast=1", "did you mean 'sma_cross'"),
        ("sweep sma_cross --param speed=1", "has no parameter 'speed'"),
        ("sweep sma_cross --param fast=5 --metric gain", "Metric 'gain' is unknown"),
        ("sweep sma_cross --param fast=5:2000 --memory 1", "bytes"),
        ("sweep sma_cross --param fast=5 --bps much", "--bps much is no number"),
    ],
)
def test_a_wrong_request_ends_with_its_reason_and_code_2(
    arguments: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*arguments.split(), "--runs", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err
