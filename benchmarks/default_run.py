"""The main command as a person starts it: `nt-ray run` with every default, in a folder of its own.

Prints the time from start to exit, the time of trading alone, and the highest memory of the whole process tree.

    python -m benchmarks.default_run [--json] [-- --topology ring ...]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.memory import Peak

MOST_SECONDS = 90
MOST_GB = 3.0


def measure(options: list[str]) -> dict[str, Any]:
    """Run once and measure."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NT_")}
        command = [sys.executable, "-m", "jobs.cli", "run", "--no-progress", "--json", *options]
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment)
        with Peak(process.pid) as peak:
            answer, _ = process.communicate()
        wall = time.perf_counter() - began
    if process.returncode != 0:
        message = f"nt-ray run ended with {process.returncode}: {answer.strip()[-2000:]}"
        raise SystemExit(message)
    summary = json.loads(answer)
    return {
        "wall_s": round(wall, 2),
        "trading_s": summary["seconds"],
        "bars": summary["bars"],
        "agents": summary["agents"],
        "fills": summary["fills"],
        "peak_memory_gb": round(peak.bytes / 2**30, 3),
        "cpus": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "digest": summary["digest"],
    }


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("options", nargs="*", help="options of `nt-ray run`, after --")
    arguments = parser.parse_args()
    result = measure(arguments.options)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"nt-ray run: {result['agents']} agents, {result['bars']:,} bars, {result['fills']:,} fills")
    print(f"  start to exit   {result['wall_s']:>8.1f} s    (target: below {MOST_SECONDS} s)")
    print(f"  trading         {result['trading_s']:>8.1f} s")
    print(f"  peak memory     {result['peak_memory_gb']:>8.2f} GB   (target: below {MOST_GB:g} GB)")
    print(f"  {result['cpus']} CPUs, load over the last minute {result['load_1min']}")


if __name__ == "__main__":
    main()
