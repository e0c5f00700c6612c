import dataclasses
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from jobs import cli
from jobs.walk_forward_command import EQUITY, PAGE, REPORT, SETTINGS, WINDOWS
from nt_ray.backtest.research.splits import walk_forward_splits
from nt_ray.backtest.research.study import Study
from nt_ray.backtest.research.walk_forward import walk
from nt_ray.strategies.fault import StepError
from nt_ray.strategies.registry import find

COMMAND = (
    "walk-forward momentum --param lookback=20:120:50 --train 400 --test 150 --symbols KO,XOM --start 2019-01-01 "
    "--no-progress --workers 2"
)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_command_writes_a_folder_and_tells_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*COMMAND.split(), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    folder = Path(report["folder"])
    assert {REPORT, PAGE, WINDOWS, EQUITY, SETTINGS} == {path.name for path in folder.iterdir()}
    assert json.loads((folder / REPORT).read_text()) == report
    assert report["summary"]["candidates"] == 3
    assert pl.read_parquet(folder / WINDOWS).height == report["summary"]["windows"] == len(report["windows"])
    equity = pl.read_parquet(folder / EQUITY)
    assert equity["equity"][-1] == report["summary"]["final_equity"]


def test_the_command_prints_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*COMMAND.split(), "--anchored", "--embargo", "5"]) == 0
    out = capsys.readouterr().out
    assert "out of sample" in out
    assert "probability of overfitting" in out
    assert PAGE in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--param", "lookbak=1:3:1"], "no parameter 'lookbak'"),
        (["--param", "lookback=3"], "too few"),
        (["--metric", "luck"], "cannot be maximised"),
        (["--param", "lookback"], "NAME=VALUES"),
    ],
)
def test_bad_input_is_named_and_leaves_no_folder(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["walk-forward", "momentum", "--symbols", "KO", "--start", "2022-06-01", "--no-progress", *arguments]
    assert cli.main(command) == 2
    assert said in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.usefixtures("ray_cluster")
def test_windows_on_ray_are_the_windows_of_this_process(study: Study) -> None:
    from actors.windows import over_ray

    splits = list(walk_forward_splits(len(study.panel), 400, 300))
    here, there = walk(study, splits), walk(study, splits, mapper=over_ray)
    assert there.windows == here.windows
    assert there.train_scores.tolist() == here.train_scores.tolist()
    assert there.course.equity_quanta.tolist() == here.course.equity_quanta.tolist()


USER_FILE = """
from nt_ray.strategies.base import Parameter, Strategy

def state_size(params):
    return 1

def step(state, bar, params, targets):
    state[0] += 1.0
    if state[0] > params[0]:
        raise ValueError("no more")
    targets[0] = 0.5
    return 1.0

MyStrategy = Strategy("mine", "", "", (Parameter("last", 5000, 1, 9999, "Bars it lives."),), 1, state_size, step)
"""


@pytest.mark.usefixtures("ray_cluster")
def test_a_file_of_ones_own_works_on_ray_and_its_fault_is_named_with_symbol_bar_and_value(
    study: Study, tmp_path: Path
) -> None:
    from actors.windows import over_ray

    (tmp_path / "mine.py").write_text(USER_FILE, encoding="utf-8")
    strategy = find(f"{tmp_path / 'mine.py'}:MyStrategy")
    own = dataclasses.replace(study, strategy=strategy, candidates=np.array([[4000.0], [5000.0]]))
    splits = list(walk_forward_splits(len(study.panel), 400, 300))
    assert walk(own, splits, mapper=over_ray).windows == walk(own, splits).windows
    failing = dataclasses.replace(own, candidates=np.array([[5000.0], [30.0]]))
    with pytest.raises(StepError, match=r"ValueError \(no more\) for AAPL at .* \(bar 30, close") as caught:
        walk(failing, splits[:1], mapper=over_ray)
    assert study.panel.time(30).isoformat() in str(caught.value)


def test_a_walk_forward_of_a_file_of_ones_own_writes_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(USER_FILE, encoding="utf-8")
    reference = f"{tmp_path / 'mine.py'}:MyStrategy"
    options = "--param last=4000,5000 --symbols KO --start 2016-01-01 --no-progress --json"
    assert cli.main(["walk-forward", reference, *options.split()]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["strategy"] == reference
    assert "-walk-forward-MyStrategy-" in Path(report["folder"]).name
