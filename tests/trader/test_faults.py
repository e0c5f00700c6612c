"""A strategy's fault in a run: named with agent, symbol, bar, time and value; it stops trading, or abstains."""

import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from actors.runtime import RayRuntime
from nt_ray.config import Settings, load_settings
from nt_ray.swarm.failures import AgentFaultError
from nt_ray.trader.facade import NeuralTrader, Run
from nt_ray.trader.runtime import InProcessRuntime, Runtime

FILE = """
import math
from numba import njit
from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy

@njit(STEP_SIGNATURE, cache=True)
def step(state, bar, params, targets):
    state[0] += 1.0
    targets[0] = 0.5 if bar[0, 3] > state[1] else -0.5
    state[1] = bar[0, 3]
    if state[0] == params[1] + 1.0 and bar[0, 3] > params[2]:
        if params[0] == 1.0:
            raise ValueError("no way")
        if params[0] == 2.0:
            targets[0] = math.nan
        if params[0] == 3.0:
            return 1.5
    return 1.0

STRATEGY = Strategy(
    "mine", "", "", tuple(Parameter(name, 0, 0, 1e9, name) for name in ("fault", "at", "above")), 1,
    lambda params: 2, step,
)
"""
AT = 70
BLOCKS = ("1", "17", "64", "4096")
SYMBOLS = ("KO", "PEP")


@pytest.fixture
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == "in-process":
        return InProcessRuntime()
    request.getfixturevalue("ray_cluster")
    return RayRuntime()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("strategies") / "mine.py"
    path.write_text(FILE)
    return path


def settings(tmp_path: Path, path: Path, variants: list[dict[str, float]], **values: str) -> Settings:
    return load_settings(
        None,
        {
            "runs": str(tmp_path / "runs"),
            "data.source": "sp500",
            "data.symbols": ",".join(SYMBOLS),
            "data.start": "2019-01-01",
            "data.end": "2019-08-31",
            "strategies.enabled": str(path),
            "strategies.variants": {str(path): variants},
            "swarm.hosts": "2",
            "brokers.enabled": "sim-east",
            "swarm.quorum": "0.5",
            **{key.replace("__", "."): value for key, value in values.items()},
        },
        environ={},
    )


def traded(chosen: Settings, runtime: Runtime | None = None) -> Run:
    with NeuralTrader(chosen, runtime) as trader:
        return trader.execute_strategy()


FAULTS = [
    (1, "ValueError: no way"),
    (2, "target nan is outside [-1, 1]"),
    (3, "confidence 1.5 is outside [0, 1]"),
]


@pytest.mark.parametrize(
    ("runtime", "fault", "reason"),
    [*(("in-process", *case) for case in FAULTS), ("ray", *FAULTS[1])],
    indirect=["runtime"],
)
def test_a_fault_stops_the_run_and_is_named_with_agent_symbol_bar_time_and_value(
    tmp_path: Path, path: Path, runtime: Runtime, fault: int, reason: str
) -> None:
    variants = [{"fault": 0}, {"fault": fault, "at": AT, "above": 100.0}]
    with NeuralTrader(settings(tmp_path, path, variants), runtime) as trader:
        closes, when = trader.panel.closes[AT], trader.panel.time(AT).isoformat()
        with pytest.raises(AgentFaultError) as caught:
            trader.execute_strategy()
    assert closes[0] < 100.0 < closes[1], "the fault is the second symbol's alone"
    text = str(caught.value)
    assert f"Agent 1 ({path}:STRATEGY/v1/KO-PEP) failed for PEP at {when} (bar {AT}, " in text
    assert f"close {closes[1]:g}): {reason}." in text
    assert "swarm.on_fault=abstain" in text
    [folder] = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    [row] = json.loads((folder / "faults.json").read_text())
    assert (row["agent"], row["symbol"], row["bar"], row["time"]) == (1, "PEP", AT, when)
    assert row["reason"] == reason


@pytest.mark.parametrize(
    ("runtime", "fault", "reason"),
    [*(("in-process", *case) for case in FAULTS), ("ray", *FAULTS[0])],
    indirect=["runtime"],
)
def test_where_agents_may_abstain_the_run_ends_and_names_the_fault(
    tmp_path: Path, path: Path, runtime: Runtime, fault: int, reason: str
) -> None:
    variants = [{"fault": 0}, {"fault": fault, "at": AT}]
    chosen = settings(tmp_path, path, variants, swarm__on_fault="abstain", swarm__hosts="1")
    run = traded(chosen, runtime)
    [row] = run.summary["faults"]
    assert (row["agent"], row["symbol"], row["bar"], row["reason"]) == (1, "KO", AT, reason)
    assert json.loads((run.folder / "summary.json").read_text())["faults"] == run.summary["faults"]
    assert row["sentence"] in run.record.details["First fault of each agent"].values()
    silent = run.record.agents.sort("agent")["silent_rounds"].to_list()
    assert silent[0] == 0 < silent[1]


@pytest.mark.parametrize("rule", ["mean", "hedge"])
def test_the_bars_before_a_fault_are_traded_alike_for_any_size_of_blocks(tmp_path: Path, path: Path, rule: str) -> None:
    variants = [{"fault": 1, "at": AT}, {"fault": 0}]
    told = [told_by_bars(settings(tmp_path, path, variants, swarm__block_bars=b, swarm__rule=rule)) for b in BLOCKS]
    assert [row for row, _ in told[0]] == list(range(AT))
    assert len({equity for _, equity in told[0]}) > 10
    assert told[1:] == told[:1] * (len(BLOCKS) - 1)


def told_by_bars(chosen: Settings) -> list[tuple[int, Decimal]]:
    told: list[tuple[int, Decimal]] = []
    with NeuralTrader(chosen) as trader, pytest.raises(AgentFaultError):
        trader.execute_strategy(on_bar=lambda row, _, equity: told.append((row, equity)))
    return told


@pytest.mark.parametrize("on_fault", ["stop", "abstain"])
def test_a_healthy_run_knows_no_faults_and_does_not_depend_on_the_setting(
    tmp_path: Path, path: Path, on_fault: str
) -> None:
    run = traded(settings(tmp_path, path, [{"at": 5}], swarm__on_fault=on_fault))
    assert run.summary["faults"] == []
    assert "First fault of each agent" not in run.record.details
    assert run.summary["digest"] == traded(settings(tmp_path, path, [{"at": 9}])).summary["digest"]
    assert pl.read_parquet(run.folder / "trades.parquet").height > 10


def test_the_command_ends_with_the_error_and_its_code(
    tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str], ray_cluster: None
) -> None:
    from jobs.cli import main

    file = tmp_path / "config.toml"
    file.write_text(f'[[strategies.variants."{path}"]]\nfault = 2\nat = 30\n')
    command = f"run --strategy {path} --symbols KO --start 2019-01-01 --end 2019-06-30 --runs {tmp_path} --hosts 1"
    arguments = [*command.split(), "--set", "brokers.enabled=sim-east", "--no-progress", "--config", str(file)]
    assert main([*arguments, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["code"] == "agent_fault"
    assert "failed for KO at 2019-" in told["message"]
    assert "target nan is outside [-1, 1]" in told["message"]
