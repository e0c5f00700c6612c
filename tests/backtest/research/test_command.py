import json
from pathlib import Path

import polars as pl
import pytest

from jobs import cli
from jobs.walk_forward_command import EQUITY, PAGE, REPORT, SETTINGS, WINDOWS
from nt_ray.backtest.research.splits import walk_forward_splits
from nt_ray.backtest.research.study import Study
from nt_ray.backtest.research.walk_forward import walk

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
