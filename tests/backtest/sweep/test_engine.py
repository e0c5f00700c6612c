import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nt_ray.backtest.sweep import Grid, Random, SweepError, SweepPlan, sweep
from nt_ray.backtest.sweep import engine as engine_module
from nt_ray.backtest.sweep.measures import METRICS
from nt_ray.backtest.sweep.store import PLAN, SweepStore
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import StorageError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.registry import find

CROSS = find("sma_cross")
GRID = Grid({"fast": [3, 5, 8, 13], "slow": [5, 20, 40]})


def test_a_result_does_not_depend_on_chunks_workers_or_order(panel: BarPanel, costs: Costs) -> None:
    first = sweep(panel, CROSS, GRID, costs=costs, workers=1, chunk=100).runs
    for workers, chunk in ((2, 1), (4, 5), (1, 7)):
        assert_frame_equal(sweep(panel, CROSS, GRID, costs=costs, workers=workers, chunk=chunk).runs, first)
    assert first.height == 12 * 16
    assert first["combination"].to_list() == sorted(first["combination"])


def test_impossible_combinations_are_reported_and_the_rest_goes_on(panel: BarPanel) -> None:
    result = sweep(panel, CROSS, GRID)
    failed = result.failures.unique("combination").sort("combination")
    rows = failed.select("fast", "slow").rows()
    assert rows == [(5.0, 5.0), (8.0, 5.0), (13.0, 5.0)]
    assert failed["failure"][0] == "sma_cross: fast=5 is not below slow=5. Use a shorter fast mean."
    assert failed.select(METRICS).null_count().row(0) == (3,) * len(METRICS)
    assert result.runs.filter(pl.col("failure").is_null()).height == 9 * 16


def test_a_sweep_of_nothing_but_impossible_combinations_is_an_error(panel: BarPanel) -> None:
    with pytest.raises(SweepError, match=r"Every run of sma_cross failed\. The first: .*fast=9"):
        sweep(panel, CROSS, Grid({"fast": [9], "slow": [5]}))


@pytest.mark.parametrize("metric", METRICS)
def test_runs_are_ranked_with_the_undefined_last_and_ties_in_order(metric: str, panel: BarPanel) -> None:
    ranked = sweep(panel, CROSS, GRID).ranked(metric)
    values = ranked[metric].to_list()
    known = [v for v in values if v is not None]
    assert values[: len(known)] == known
    assert known == sorted(known, reverse=metric not in {"costs", "turnover", "trades"})
    assert ranked.height == 12 * 16


def test_combinations_are_ranked_by_their_mean_over_groups(panel: BarPanel) -> None:
    result = sweep(panel, CROSS, GRID)
    best = result.combinations("total_return", 2)
    assert best.height == 2
    row = best.row(0, named=True)
    own = result.runs.filter(pl.col("combination") == row["combination"])["total_return"].to_list()
    assert row["total_return"] == pytest.approx(sum(own) / 16)
    means = result.runs.group_by("combination").agg(pl.col("total_return").mean())["total_return"].drop_nulls()
    assert row["total_return"] == pytest.approx(float(means.to_numpy().max()))
    with pytest.raises(SweepError, match="Metric 'gain' is unknown"):
        result.ranked("gain")


def test_any_run_can_be_replayed_with_its_fills_and_equity(panel: BarPanel, costs: Costs) -> None:
    result = sweep(panel, CROSS, GRID, costs=costs)
    row = result.runs.filter((pl.col("combination") == 5) & (pl.col("symbols") == "S03")).row(0, named=True)
    full = result.replay(5, 3)
    assert float(full.final_equity) == pytest.approx(row["final_equity"], abs=1e-6)
    assert len(full.fills()) == row["trades"] > 0
    with pytest.raises(SweepError, match="no run of combination 99"):
        result.replay(99)


def test_a_sweep_that_would_not_fit_says_how_many_bytes_it_needs(panel: BarPanel) -> None:
    space = Random(100_000, 3)
    plan = SweepPlan(panel, CROSS, space)
    with pytest.raises(SweepError, match=rf"take {plan.nbytes:,} bytes; 1,000,000 are allowed.*combinations at a time"):
        sweep(panel, CROSS, space, memory=1_000_000)


def test_the_estimate_of_memory_covers_what_the_result_takes(panel: BarPanel) -> None:
    plan = SweepPlan(panel, CROSS, GRID)
    result = sweep(panel, CROSS, GRID)
    assert plan.nbytes >= plan.tape().nbytes + result.runs.estimated_size() * 0.9


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"workers": 0}, "0 workers"),
        ({"chunk": 0}, "Chunks of 0"),
        ({"groups": []}, "Give more symbols"),
        ({"groups": [[0, 1]]}, "no group of 1 distinct"),
        ({"groups": [[99]]}, "no group of 1 distinct"),
    ],
)
def test_impossible_requests_are_refused(options: dict[str, object], says: str, panel: BarPanel) -> None:
    with pytest.raises(SweepError, match=says):
        sweep(panel, CROSS, GRID, **options)  # type: ignore[arg-type]


def test_a_panel_narrower_than_the_strategy_is_refused(panel: BarPanel) -> None:
    with pytest.raises(SweepError, match="pairs looks at 2 symbols; the panel has 1"):
        SweepPlan(panel.select(["S00"]), find("pairs"), Grid({"lookback": [30]}))


def test_an_interrupted_sweep_continues_and_ends_the_same(
    panel: BarPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sweep(panel, CROSS, GRID, chunk=2).runs
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(panel, CROSS, GRID, chunk=2, workers=1, folder=tmp_path, on_chunk=stop)
    kept = {pl.read_parquet(file)["combination"].min() for file in (tmp_path / "chunks").glob("*.parquet")}
    assert len(kept) == 3
    run: list[int] = []
    original = engine_module.run_chunk

    def counting(*arguments: object) -> object:
        run.append(arguments[2].first)  # type: ignore[attr-defined]
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(engine_module, "run_chunk", counting)
    # Another size of chunks is asked for: the folder keeps its own.
    again = sweep(panel, CROSS, GRID, chunk=5, workers=2, folder=tmp_path).runs
    assert_frame_equal(again, whole)
    # Of chunks that were finished at once any may have been kept first.
    assert sorted(run) == sorted(set(range(0, 12, 2)) - kept)
    run.clear()
    assert_frame_equal(sweep(panel, CROSS, GRID, folder=tmp_path).runs, whole)
    assert run == []


def test_a_folder_belongs_to_one_sweep_and_every_input_decides_which(panel: BarPanel, tmp_path: Path) -> None:
    plan = SweepPlan(panel, CROSS, GRID)
    SweepStore.open(plan, 3, tmp_path)
    values = np.array(panel.values)
    values[100, 3, 3] += 0.0001
    moved = BarPanel(panel.instruments, panel.timestamps, values, fields=panel.fields)
    others = [
        SweepPlan(moved, CROSS, GRID),
        SweepPlan(panel, CROSS, Grid({"fast": [3, 5, 8, 14], "slow": [5, 20, 40]})),
        SweepPlan(panel, CROSS, GRID, Costs(slippage_bps=plan.costs.slippage_bps * 2)),
        SweepPlan(panel, CROSS, GRID, groups=[[1], [2]]),
    ]
    assert len({plan.digest, *(o.digest for o in others)}) == 5
    assert SweepPlan(panel, CROSS, GRID).digest == plan.digest
    for other in others:
        with pytest.raises(SweepError, match="belongs to another sweep"):
            SweepStore.open(other, 3, tmp_path)
    assert json.loads((tmp_path / PLAN).read_text())["combinations"] == 12


def test_a_damaged_chunk_or_folder_is_named(panel: BarPanel, tmp_path: Path) -> None:
    sweep(panel, CROSS, GRID, chunk=6, folder=tmp_path)
    chunk = next((tmp_path / "chunks").glob("*.parquet"))
    chunk.write_bytes(b"nothing")
    with pytest.raises(StorageError, match="cannot be read"):
        sweep(panel, CROSS, GRID, folder=tmp_path)
    (tmp_path / PLAN).write_text("{")
    with pytest.raises(StorageError, match="cannot be read"):
        sweep(panel, CROSS, GRID, folder=tmp_path)


MEMORY = """
import gc, sys
from conftest import make_panel
from nt_ray.backtest.sweep import Grid, sweep
from nt_ray.strategies.registry import find
panel, cross, grid = make_panel(60, 3), find("sma_cross"), Grid({"fast": [3], "slow": [9]})
def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4096
for _ in range(300):
    sweep(panel, cross, grid, workers=1)
before = resident()
for _ in range(int(sys.argv[1])):
    sweep(panel, cross, grid, workers=1)
print(resident() - before)
"""


def test_thousands_of_sweeps_in_one_process_do_not_grow_it() -> None:
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[2])])}
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, "2400"], env=environment, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 2 * 2**20


SECOND = """

from conftest import make_panel
from nt_ray.backtest.sweep import Grid, sweep
from nt_ray.backtest.sweep import kernels
from nt_ray.strategies.registry import find
sweep(make_panel(60, 3), find("momentum"), Grid({"lookback": [20]}), workers=1)
kernel, = kernels._KERNELS.values()
print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


def test_a_second_process_loads_the_compiled_kernel() -> None:
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[2])])}
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", SECOND], env=environment, capture_output=True, text=True, check=True
        )
    assert run.stdout.split() == ["1", "0"]
