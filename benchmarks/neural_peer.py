"""Cost of a training step beside neuralforecast: the same network, as many windows a step, CPU time in one process.

Each network is the peer's own class, trained by the peer's loop and by the product's in turns (A B A B), beside the
floor: the network's forward, backward and Adam on a batch that lies ready, which no loop can do without. Last comes the
product's own network of the same kind and sizes in the product's loop: what a user of either pays. Printed are medians
over the steps after warm-up, first of each turn and then of the turns. The second part is the price of a long history:
steps of the product with 30,000 rows a series beside those with 2,000, in turns too. One thread, CPU time: wall time
says little on a machine that does other things.

`sh benchmarks/neural_peer.sh` makes the environment that both loops run in; where it is missing, that is said and
nothing is measured.

    python -m benchmarks.neural_peer [--steps 30] [--turns 3] [--networks DLinear,LSTM] [--peers .venv-peers] [--json]
"""

import argparse
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

PROGRAM = Path(__file__).parent / "peers" / "neuralforecast_steps.py"
REPOSITORY = Path(__file__).parent.parent
SERIES, ROWS = 100, 2_000
SHORT, LONG, LONG_SERIES = 2_000, 30_000, 32
WINDOWS = {"DLinear": 1024, "NHITS": 1024, "LSTM": 128, "PatchTST": 1024}
TARGETS = {"DLinear": 10.0, "NHITS": 1.05, "LSTM": 1.05, "PatchTST": 1.05}
"""Least times the peer's cost of a step."""
SHARES = {"DLinear": 1.0, "NHITS": 0.5, "LSTM": 0.5, "PatchTST": 0.25}
"""Share of `--steps` that a network takes: heavy ones vary less."""
FLAT = 1.10
"""Most times the cost of a step with a short history that one with a long history may take."""
WARM_UP = 0.2


def run(folder: Path, task: dict[str, Any]) -> dict[str, list[list[float]]]:
    """CPU milliseconds of the steps of each turn, by loop and rows."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [str(folder / "neuralforecast/bin/python"), str(PROGRAM), json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        message = f"neuralforecast's program failed:\n{done.stderr[-2000:]}"
        raise SystemExit(message)
    found: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def medians(turns: list[list[float]]) -> list[float]:
    """Median step of each turn, after its warm-up."""
    return [float(np.median(turn[max(1, round(len(turn) * WARM_UP)) :])) for turn in turns]


def network_row(folder: Path, name: str, steps: int, turns: int) -> dict[str, Any]:
    """Both loops on one network."""
    task = {"network": name, "windows": WINDOWS[name], "steps": max(5, round(steps * SHARES[name])), "turns": turns}
    found = run(folder, task | {"series": SERIES, "rows": [ROWS], "peer": True})
    peer, own, floor, network = (
        medians(found[key]) for key in (f"peer {ROWS}", f"own {ROWS}", "floor", f"network {ROWS}")
    )
    ratio, most, of_network = (float(np.median(peer) / np.median(ours)) for ours in (own, floor, network))
    return {
        "windows": WINDOWS[name],
        "steps_a_turn": task["steps"],
        "peer_ms": peer,
        "own_ms": own,
        "floor_ms": floor,
        "network_ms": network,
        "ratio": ratio,
        "ratio_of_floor": most,
        "ratio_of_network": of_network,
        "target": TARGETS[name],
        "met": ratio >= TARGETS[name],
        "met_by_network": of_network >= TARGETS[name],
    }


def history_row(folder: Path, steps: int, turns: int) -> dict[str, Any]:
    """Cost of the product's steps on short and long histories."""
    task = {"network": "DLinear", "windows": 1024, "steps": 2 * steps, "turns": turns, "series": LONG_SERIES}
    found = run(folder, task | {"rows": [SHORT, LONG], "peer": False})
    short, long = medians(found[f"own {SHORT}"]), medians(found[f"own {LONG}"])
    times = float(np.median(long) / np.median(short))
    return {"short_ms": short, "long_ms": long, "times": times, "met": times <= FLAT}


def show(result: dict[str, Any]) -> None:
    """Print the rows."""
    print("CPU milliseconds of a training step, medians by turn:")
    print("neuralforecast | product on the same network | floor | product on its own network of these sizes")
    for name, row in result["networks"].items():
        keys = ("peer_ms", "own_ms", "floor_ms", "network_ms")
        print(
            f"  {name:<9}{row['windows']:>5} windows  "
            f"{' | '.join(' '.join(f'{value:.2f}' for value in row[key]) for key in keys)}  "
            f"{row['ratio']:.2f} times, target {row['target']:g}: {'yes' if row['met'] else 'NO'}; "
            f"the floor {row['ratio_of_floor']:.2f}; its own {row['ratio_of_network']:.2f}: "
            f"{'yes' if row['met_by_network'] else 'NO'}"
        )
    row = result["history"]
    short, long = (" ".join(f"{value:.2f}" for value in row[key]) for key in ("short_ms", "long_ms"))
    print(
        f"  {SHORT:,} rows {short} | {LONG:,} rows {long}  {row['times']:.3f} times, "
        f"at most {FLAT:g}: {'yes' if row['met'] else 'NO'}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--networks", default=",".join(WINDOWS))
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (options.peers / "neuralforecast/bin/python").exists():
        print(
            f"neuralforecast is not installed in {options.peers}, so nothing is measured: sh benchmarks/neural_peer.sh"
        )
        return
    names = options.networks.split(",")
    unknown = sorted(set(names) - set(WINDOWS))
    if unknown:
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(WINDOWS)}")
    result = {
        "networks": {name: network_row(options.peers, name, options.steps, options.turns) for name in names},
        "history": history_row(options.peers, options.steps, options.turns),
        "load_1min": round(os.getloadavg()[0], 2),
    }
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)


if __name__ == "__main__":
    main()
