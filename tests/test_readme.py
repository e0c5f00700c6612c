"""Every example of the README runs. What a test elsewhere runs is named here with that test."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import cli
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator

REPOSITORY = Path(__file__).parent.parent
FILES = ("my.toml", "paper.toml")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

ELSEWHERE = {
    "make run": "Makefile: the set-up, then `nt-ray run`, which the examples below run",
    "make test": "this very run",
    "export RAY_": "tests/cluster/test_cluster_run.py reads it from here",
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
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, with the files that the page shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("COLUMNS", "120")
    for name, block in zip(FILES, blocks("toml"), strict=True):
        (tmp_path / name).write_text(block, encoding="utf-8")
    (positions,) = blocks("csv")
    (tmp_path / "positions.csv").write_text(positions, encoding="utf-8")
    return tmp_path


def nt_ray(command: str) -> list[str]:
    program, *arguments = shlex.split(command)
    assert program == "nt-ray"
    return arguments


def assert_it_told(arguments: list[str], out: str) -> None:
    if arguments[0] == "run":
        assert "plotly" in Path("runs/latest/tear-sheet.html").read_text(encoding="utf-8")
    if "--json" in arguments:
        assert json.loads(out)["fills"] > 0


EXAMPLES = [c for c in commands() if not is_elsewhere(c)]
IN_A_PROCESS = next(c for c in EXAMPLES if c.startswith("nt-ray run"))
"""The first run starts a Ray of its own, as it does for a reader; the others join that of the tests."""


@pytest.mark.usefixtures("folder")
def test_a_run_of_the_readme_runs_with_a_ray_of_its_own() -> None:
    arguments = nt_ray(IN_A_PROCESS)
    command = [sys.executable, "-m", "jobs.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert_it_told(arguments, done.stdout)


@pytest.mark.parametrize("command", [c for c in EXAMPLES if c != IN_A_PROCESS])
@pytest.mark.usefixtures("folder", "ray_cluster")
def test_a_command_of_the_readme_runs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = nt_ray(command)
    assert cli.main(arguments) == 0, capsys.readouterr()
    assert_it_told(arguments, capsys.readouterr().out)


def test_the_session_at_a_venue_runs_from_its_first_line_to_its_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (session,) = blocks("sh")
    serve, export, *commands = session.splitlines()
    simulate, alpaca, *options = nt_ray(serve.removesuffix(" &"))
    assert (simulate, alpaca) == ("simulate", "alpaca")
    given = dict(zip(options[::2], options[1::2], strict=True))
    for word in export.removeprefix("export ").split():
        monkeypatch.setenv(*word.split("="))
    with AlpacaSimulator(given["--key"], given["--secret"]) as simulator:
        # The port of the page may be taken on this machine.
        paper = (folder / "paper.toml").read_text(encoding="utf-8")
        assert f"http://127.0.0.1:{given['--port']}" in paper
        (folder / "paper.toml").write_text(paper.replace(given["--port"], str(simulator.port)), encoding="utf-8")
        for command in commands:
            assert cli.main(nt_ray(command)) == 0, (command, capsys.readouterr())
        (order,) = simulator.orders()
    assert order["client_order_id"] == "first"


@pytest.mark.usefixtures("folder")
def test_a_forecaster_goes_from_training_to_a_forecast(capsys: pytest.CaptureFixture[str]) -> None:
    (session,) = blocks("bash")
    for command in session.splitlines():
        assert cli.main(nt_ray(command)) == 0, (command, capsys.readouterr())
    out = capsys.readouterr().out
    assert "registered as drinks/1" in out
    assert "dlinear beats the last price" in out


@pytest.mark.parametrize("example", blocks("python"), ids=range(len(blocks("python"))))
@pytest.mark.usefixtures("folder")
def test_a_python_example_of_the_readme_runs(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()


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
