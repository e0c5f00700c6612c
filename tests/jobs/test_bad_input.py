"""What a person sees who gives something wrong: one sentence, exit code 2, no traceback, nothing written."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs import cli

REPOSITORY = Path(__file__).parent.parent.parent
HEADER = "date,open,high,low,close,volume\n"
GOOD = "2020-01-02,10,11,9,10.5,100\n2020-01-03,10.5,11,10,10.8,100\n"


Refused = Callable[..., None]


@pytest.fixture
def assert_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Call the command in an empty folder and look at what it says; nothing may have been started or written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("actors.runtime.connect", lambda *_, **__: pytest.fail("Ray was started"))

    def run(arguments: tuple[str, ...], *words: str) -> None:
        code = cli.main(arguments)
        assert_told(code, capsys.readouterr().err, tmp_path, *words)

    return run


def assert_told(code: int, told: str, folder: Path, *words: str) -> None:
    assert code == 2, told
    assert "Traceback" not in told
    assert told.startswith("nt-ray: ")
    for word in words:
        assert word in told
    assert not (folder / "runs").exists()


def in_a_process(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--topology", "stars"), ("stars", "star, hierarchical, ring")),
        (("--set", "swarm.host=3"), ("swarm.host", "swarm.hosts")),
        (("--set", "swarm.quorum=1.5"), ("swarm.quorum", "1.5")),
        (("--set", "strategies.enabled=momentun"), ("momentun", "momentum")),
        (("--symbols", "AAPL,APPL"), ("APPL", "AAPL")),
        (("--data", "nowhere.csv"), ("nowhere.csv",)),
        (("--data", "sp50"), ("sp50", "sp500")),
        (("--start", "2020-01-01", "--end", "2019-01-01"), ("2020-01-01", "2019-01-01")),
        (("--config", "missing.toml"), ("missing.toml",)),
    ],
)
def test_a_wrong_option_is_refused(assert_refused: Refused, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_refused(("run", *arguments), *words)


def test_an_unknown_variable_names_the_nearest_known_one(
    assert_refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NT_SWARM__TOPOLGY", "star")
    assert_refused(("run",), "NT_SWARM__TOPOLGY", "TOPOLOGY")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + "2020-01-03,1,1,1,1,1\n2020-01-02,1,1,1,1,1\n", ("2020-01-02",)),
        (HEADER + GOOD + "2020-01-03,10,11,9,10.5,100\n", ("2020-01-03",)),
        (HEADER + GOOD + "2020-01-06,10,11,9,-10.5,100\n", ("-10.5",)),
        (HEADER + GOOD + "2020-01-06,,,,,\n2020-01-07,10,11,9,10,1\n", ("2020-01-06", "missing")),
        (HEADER + "2020-01-02 16:00:00,10,11,9,10,1\n2020-01-03 16:00:00,10,11,9,10,1\n", ("timezone",)),
        ("", ("bars.csv",)),
        (HEADER, ("bars.csv",)),
    ],
    ids=["unsorted", "duplicate", "negative", "gap", "zone-less", "empty", "no-rows"],
)  # fmt: skip
def test_a_bad_file_is_refused(assert_refused: Refused, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "bars.csv").write_text(text, encoding="utf-8")
    assert_refused(("run", "--data", "bars.csv"), *words)


def test_a_ray_that_nobody_runs_is_named_with_its_address(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    code, told = in_a_process(tmp_path, "run", "--no-progress", RAY_ADDRESS=address)
    assert_told(code, told, tmp_path, address, "ray start")


def test_a_missing_run_folder_is_named(assert_refused: Refused) -> None:
    assert_refused(("report", "runs/yesterday"), "runs/yesterday", "nt-ray run")


@pytest.mark.usefixtures("ray_cluster")
def test_a_run_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    code = cli.main(["run", "--no-progress", "--runs", "taken"])
    assert_told(code, capsys.readouterr().err, tmp_path, "taken", "--runs")
