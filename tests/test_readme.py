"""Every example of the README runs. What a test elsewhere runs is named here with that test."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

ELSEWHERE = {
    "make run": "Makefile: the set-up, then `nt-ray run`, which the examples below run",
    "make test": "this very run",
    "ray job submit": "tests/cluster/test_cluster_run.py",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("  #")[0].strip() for block in blocks("console") for line in block.splitlines()]
    return [line for line in lines if line]


def is_elsewhere(command: str) -> bool:
    return any(command.startswith(start) for start in ELSEWHERE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, block in zip(("my.toml", "paper.toml"), blocks("toml"), strict=True):
        (tmp_path / name).write_text(block, encoding="utf-8")
    return tmp_path


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}


@pytest.mark.parametrize("command", [c for c in commands() if not is_elsewhere(c)])
def test_a_command_of_the_readme_runs(command: str, folder: Path) -> None:
    program, *arguments = shlex.split(command)
    assert program == "nt-ray"
    done = subprocess.run(
        [sys.executable, "-m", "jobs.cli", *arguments],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    if arguments[0] == "run":
        sheet = (folder / "runs" / "latest" / "tear-sheet.html").read_text(encoding="utf-8")
        assert "plotly" in sheet
    if "--json" in arguments:
        assert json.loads(done.stdout)["fills"] > 0


def test_the_session_at_a_venue_runs_from_its_first_line_to_its_last(folder: Path) -> None:
    (session,) = blocks("sh")
    serve, export, *commands = session.splitlines()
    options = dict(zip(shlex.split(serve)[3:-1:2], shlex.split(serve)[4:-1:2], strict=True))
    assert shlex.split(serve)[:3] == ["nt-ray", "simulate", "alpaca"]
    keys = dict(word.split("=") for word in export.removeprefix("export ").split())
    simulator = AlpacaSimulator(options["--key"], options["--secret"], port=int(options["--port"]))
    with simulator:
        for command in commands:
            program, *arguments = shlex.split(command)
            assert program == "nt-ray"
            done = subprocess.run(
                [sys.executable, "-m", "jobs.cli", *arguments],
                cwd=folder, env=environment() | keys, capture_output=True, text=True, timeout=240, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (command, done.stdout[-2000:] + done.stderr[-2000:])
        (order,) = simulator.orders()
    assert order["client_order_id"] == "first"


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_a_python_example_of_the_readme_runs(number: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[number]],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()


def test_the_two_commands_stand_first_and_exist() -> None:
    first = blocks("console")[0].splitlines()
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert [line.split("  #")[0].strip() for line in first] == ["make run", "make test"]
    assert "\nrun: " in makefile
    assert "\ntest: " in makefile


def test_folders_and_pages_of_the_readme_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (REPOSITORY / target).exists(), target
    for name in ("nt_ray", "actors", "deployments", "jobs", "benchmarks", "docs", "tests"):
        assert f"`{name}/`" in README
        assert (REPOSITORY / name).is_dir()
