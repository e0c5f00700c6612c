"""The records are what the peers say today, where they are installed, and what the comparisons think they are."""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
PROGRAMS = {"backtesting": "backtesting_trades", "vectorbt": "vectorbt_crossover", "measures": "measures"}
DATA = {"backtesting": "goog.csv", "vectorbt": "goog.csv", "measures": "curve.csv"}
VERSIONS = {"backtesting": ("backtesting.py", "0.6.6"), "vectorbt": ("vectorbt", "1.2.0")}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_peer_that_is_installed_repeats_its_record(name: str) -> None:
    folder = Path(os.environ.get("NT_RAY_PEERS", REPOSITORY / ".venv-peers"))
    python = folder / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python} is not there; sh benchmarks/peer_trades.sh makes it, NT_RAY_PEERS names the folder")
    program = REPOSITORY / "benchmarks" / "peers" / f"{PROGRAMS[name]}.py"
    done = subprocess.run([python, program, HERE / DATA[name]], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads((HERE / "recorded" / f"{name}.json").read_text())


@pytest.mark.parametrize("name", VERSIONS)
def test_a_record_names_its_peer_and_version(name: str) -> None:
    record = json.loads((HERE / "recorded" / f"{name}.json").read_text())
    assert (record["peer"], record["version"]) == VERSIONS[name]
    assert all(run["equity"] for run in record["runs"].values())
