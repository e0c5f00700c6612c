"""A peer as a service: names of tasks come in on standard input, a JSON object for each goes out."""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


def serve(tasks: dict[str, Callable[[], dict[str, Any]]]) -> None:
    """Say that the program is ready, then run what is asked for; `seconds` and `peak_mb` are added to each answer."""
    print(json.dumps({"ready": sorted(tasks)}), flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        answer = tasks[line.strip()]()
        answer.setdefault("seconds", time.perf_counter() - began)
        used = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        answer["peak_mb"] = max(used) / 1024
        print(json.dumps(answer), flush=True)
