"""What a forecast costs: in process beside the bare network, and over HTTP beside a Serve handler that does nothing.

In default and in throughput mode, each in a process of its own: one series in process over the forward pass of the
module alone; a request of 64 windows of the LSTM stage by stage, from the module to the HTTP door, each in processor
time; over HTTP one window at a time, and 64 windows a request, of the LSTM and of a linear model whose forward pass is
next to nothing, beside an empty handler on the same Serve. Rates are by processor time of the replica: windows for each
second that one core was busy with them, HTTP included, whatever else the machine does meanwhile.

    python -m benchmarks.inference [--mode default|throughput] [--precision fp32|bf16|int8] [--lookback 96]
        [--lstm layers=3 --lstm shrink=0.5] [--repeats 300] [--json X]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from actors.environment import prepare, prepare_throughput

MODES: Final = ("default", "throughput")
PRECISIONS: Final = ("fp32", "bf16", "int8")
MOST_RATIO: Final = 2.0
MOST_MS: Final = 10.0
MOST_OVERHEAD: Final = 1.5
LEAST_RATE: Final = 5000.0


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=MODES, help="one mode alone")
    parser.add_argument("--precision", choices=PRECISIONS, help="one precision alone; fp32 and bf16 else")
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--lookback", type=int, default=96, help="bars of a window")
    parser.add_argument("--lstm", action="append", default=[], metavar="NAME=VALUE",
                        help="another parameter of the LSTM, which has two layers of 128")  # fmt: skip
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.mode is not None and options.precision is not None:
        found = measure(options.mode, options.precision, options.repeats, options.lookback, options.lstm)
        show(found)
        _write(options.json, found)
        return
    modes = MODES if options.mode is None else (options.mode,)
    precisions = PRECISIONS[:2] if options.precision is None else (options.precision,)
    asked = [
        f"--repeats={options.repeats}",
        f"--lookback={options.lookback}",
        *(f"--lstm={one}" for one in options.lstm),
    ]
    _write(options.json, [_apart(mode, precision, asked) for mode in modes for precision in precisions])


def measure(mode: str, precision: str, repeats: int, lookback: int, lstm: list[str]) -> dict[str, Any]:
    """Serve in a mode, ask, and return the figures."""
    prepare()
    if mode == "throughput":
        prepare_throughput()
    from benchmarks.inference_cost import bench

    with tempfile.TemporaryDirectory(prefix="nt-ray-bench-") as folder:
        parameters = {name: float(value) for name, _, value in (one.partition("=") for one in lstm)}
        found = bench(Path(folder), precision, repeats, lookback, parameters)
    told = {"mode": mode, "precision": precision, "lookback": lookback, "lstm": lstm, "cpus": os.cpu_count()}
    return told | found | {"load_1min": round(os.getloadavg()[0], 2)}


def show(found: dict[str, Any]) -> None:
    """Print figures and targets."""
    alone, http, windows = found["in_process"], found["http"], found["windows"]
    print(f"{found['mode']} mode, {found['admitted']} ({found['precision']} asked), look-back {found['lookback']}, "
          f"{' '.join(found['lstm'])} {found['cpus']} cores, load {found['load_1min']}")  # fmt: skip
    print(f"  one series in process {alone['forecast_ms']:.3f} ms, bare module {alone['bare_ms']:.3f} ms")
    _told("over the bare module", alone["ratio"], MOST_RATIO, least=False)
    print(f"  one window over HTTP: LSTM {http['lstm_ms']:.2f} ms (p99 {http['lstm_p99_ms']:.2f}), "
          f"linear {http['linear_ms']:.2f} ms, an empty handler {http['empty_ms']:.2f} ms")  # fmt: skip
    _told("p50 in ms", http["lstm_ms"], MOST_MS, least=False)
    _told("over an empty handler", http["overhead"], MOST_OVERHEAD, least=False)
    print(f"  {windows} windows a request of the LSTM, of which {found['cut']} pass together; processor time up to:")
    for name, stage_ms in found["stages"].items():
        print(f"    {name:22} {stage_ms:7.2f} ms {1e3 * windows / stage_ms:8,.0f} windows/s")
    rates = found["rates"]
    for name, rate in rates.items():
        print(f"    {name + ' replica':22} {rate['busy_ms']:7.2f} ms {rate['by_core']:8,.0f} windows/s, "
              f"{rate['by_clock']:,.0f} by the clock")  # fmt: skip
    share = found["stages"]["module, 32 bits"] / rates["lstm"]["busy_ms"]
    print(f"  the endpoint forecasts {share:.2f} times as many windows by core as the module alone with 32 bits")
    _told("windows/s by core", rates["lstm"]["by_core"], LEAST_RATE, least=True)


def _told(what: str, found: float, target: float, *, least: bool) -> None:
    holds = found >= target if least else found <= target
    bound = "at least" if least else "at most"
    print(f"  {'holds' if holds else 'FAILS'}: {what} {found:,.2f} (target: {bound} {target:,g})")


def _apart(mode: str, precision: str, asked: list[str]) -> Any:
    """Measure in a process of its own: Ray Serve reads its mode when it is imported."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found.json"
        chosen = [f"--mode={mode}", f"--precision={precision}", f"--json={file}"]
        subprocess.run([sys.executable, "-m", "benchmarks.inference", *chosen, *asked], check=True)
        return json.loads(file.read_text())


def _write(file: Path | None, found: Any) -> None:
    if file is not None:
        file.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
