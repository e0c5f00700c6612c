"""A user's own file at every command that takes a strategy: named from another folder, as argument and as option."""

import json
from pathlib import Path

import pytest

from jobs import cli

DATA = ("--symbols", "KO", "--start", "2021-01-01")


@pytest.fixture(scope="module")
def file() -> Path:
    return Path(__file__).parent / "own" / "mine.py"


@pytest.fixture(autouse=True)
def in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert cli.main([*arguments, "--json"]) == 0, capsys.readouterr()
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def from_here(file: Path, name: str) -> str:
    """Relative path from the working folder."""
    return f"{Path('..', *['..'] * 8)}{file}:{name}"


@pytest.mark.parametrize("name", ["Targets", "Orders", "Plain"])
def test_backtest_and_check_take_every_kind_both_ways(
    name: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = from_here(file, name)
    size = "size=0.4" if name == "Targets" else "size=7"
    given = ("--param", size, *DATA, "--no-progress", "--no-open")
    first = answer(capsys, "backtest", own, *given)
    second = answer(capsys, "backtest", "--strategy", own, *given)
    assert first["strategy_name"] == f"{file}:{name}"
    assert first["fills"]
    assert first["digest"] == second["digest"]
    clean = answer(capsys, "check", "--strategy", own, "--bars", "60")
    assert clean == answer(capsys, "check", own, "--bars", "60")
    assert clean["strategy"] == f"{file}:{name}"


def test_strategies_show_tells_of_targets_and_orders_and_refers_for_plain_python(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kind in (("Targets", "targets"), ("Orders", "orders")):
        told = answer(capsys, "strategies", "show", "--strategy", from_here(file, name))
        assert told == answer(capsys, "strategies", "show", from_here(file, name))
        assert told["kind"] == kind
    assert cli.main(["strategies", "show", f"{file}:Plain"]) == 2
    assert "nt-ray backtest" in capsys.readouterr().err


@pytest.mark.usefixtures("ray_cluster")
def test_sweep_takes_targets_on_the_workers_of_ray(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = from_here(file, "Targets")
    given = ("--param", "size=0.25,0.5", *DATA, "--no-progress", "--ray")
    swept = answer(capsys, "sweep", "--strategy", own, *given)
    assert (swept["strategy"], swept["runs"], swept["failed"]) == (f"{file}:Targets", 2, 0)
    assert answer(capsys, "sweep", own, *given)["digest"] == swept["digest"]


@pytest.mark.usefixtures("ray_cluster")
def test_walk_forward_takes_targets_on_the_workers_of_ray(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = from_here(file, "Targets")
    given = ("--param", "size=0.25,0.5", *DATA, "--no-progress")
    windows = ("--train", "250", "--test", "150")
    walked = answer(capsys, "walk-forward", "--strategy", own, *given, *windows, "--ray")
    threads = answer(capsys, "walk-forward", own, *given, *windows)
    assert walked["windows"] == threads["windows"]
    assert walked["strategy"] == f"{file}:Targets"


@pytest.mark.usefixtures("ray_cluster")
def test_search_takes_targets_on_the_workers_of_ray(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--param", "size=0.2:0.8", "--trials", "1", *DATA, "--no-progress")
    found = answer(capsys, "search", "--strategy", from_here(file, "Targets"), *given)
    assert (found["strategy"], found["candidates"], found["failed"]) == (f"{file}:Targets", 1, 0)


@pytest.mark.usefixtures("ray_cluster")
def test_run_takes_strategies_as_arguments_and_as_options(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = from_here(file, "Targets")
    given = (*DATA, "--set", "swarm.hosts=1", "--set", "brokers.enabled=sim-east", "--no-progress", "--no-open")
    first = answer(capsys, "run", "momentum", "--strategy", own, *given)
    agents = first["agents"]
    assert agents == 6, "five variants of momentum, and one of the file"
    assert first["orders"]


@pytest.mark.parametrize("command", ["sweep", "walk-forward", "search", "run"])
@pytest.mark.parametrize("name", ["Orders", "Plain", "market_making_quotes"])
def test_commands_of_targets_refer_orders_to_those_that_run_them(
    command: str, name: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = name if name.islower() else from_here(file, name)
    varied = () if command == "run" else ("--param", "size=1:3")
    assert cli.main([command, own, *varied, *DATA, "--no-progress"]) == 2
    told = capsys.readouterr().err
    assert "gives orders, which `nt-ray backtest` and `nt-ray check` alone run" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", ["backtest", "check", "sweep", "walk-forward", "search", "strategies show"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "no strategy is given"),
        (("momentum", "--strategy", "pairs"), "both momentum and --strategy pairs are given"),
    ],
)
def test_a_strategy_is_named_exactly_once(
    command: str, given: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    varied = ("--param", "lookback=20:30") if command == "search" else ()
    assert cli.main([*command.split(), *given, *varied]) == 2
    assert said in capsys.readouterr().err


def test_a_sweep_goes_on_past_what_fails_and_names_symbol_time_and_value(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nt_ray.market.source import load_panel

    own = from_here(file, "Targets")
    told = answer(
        capsys, "sweep", own, "--param", "raises=0,40", "--param", "lies=0,30", "--symbols", "KO,PEP", *DATA[2:],
        "--no-progress",
    )  # fmt: skip
    assert (told["runs"], told["failed"]) == (8, 6)
    failures = told["failures"]
    assert isinstance(failures, list)
    panel = load_panel("sp500", symbols=["KO", "PEP"], start=None)
    when = [t for t in map(panel.time, range(len(panel))) if t.year >= 2021]
    texts = {f["combination"]: f["failure"] for f in failures}
    assert f"gave the confidence 2.5 for KO at {when[29].isoformat()} (bar 29, close " in texts[1]
    assert f"the step raised ValueError (no more) for KO at {when[39].isoformat()} (bar 39, close " in texts[2]
    assert "confidence 2.5 for KO" in texts[3]
    best = told["best"]
    assert isinstance(best, list)
    assert best[0]["combination"] == 0
