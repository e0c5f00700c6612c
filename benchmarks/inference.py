"""What a forecast costs: in process beside the bare network, and over HTTP beside a Serve handler that does nothing.

One run prints all of it: one series in process over the forward pass of the module alone; over HTTP one window of the
same LSTM at a time, then 64 windows a request, and the same for a linear model whose forward pass is next to nothing,
beside an empty handler on the same Serve. Rates are by processor time of the replica: windows for each second that one
core was busy with them, HTTP included, whatever else the machine does meanwhile.

    python -m benchmarks.inference [--repeats 300] [--precision bf16] [--json inference.json]
"""

import argparse
import http.client
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.environment import prepare

prepare()

import numpy as np  # noqa: E402 (Ray reads its environment when it is imported)
import torch  # noqa: E402

from nt_ray.config.sections import Inference, Neural  # noqa: E402
from nt_ray.neural.inference.bundle import save_bundle  # noqa: E402
from nt_ray.neural.inference.predictor import Predictor  # noqa: E402
from nt_ray.neural.registry.registry import open_registry  # noqa: E402
from nt_ray.neural.series.batch import Batch  # noqa: E402
from nt_ray.neural.series.panel import SeriesPanel  # noqa: E402
from nt_ray.neural.serving.reference import reference_of, save_reference  # noqa: E402
from nt_ray.neural.training.recipe import Recipe  # noqa: E402
from nt_ray.neural.training.trained import Trained  # noqa: E402
from nt_ray.neural.training.training import train  # noqa: E402

LOOKBACK, HORIZON, WINDOWS = 96, 24, 64
LSTM = {"hidden": 128.0, "layers": 2.0, "shrink": 1.0, "dropout": 0.0}
PORT = 18_231
ROOM = 20
"""Requests before the first that counts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--precision", choices=["fp32", "bf16", "int8"], default="fp32")
    parser.add_argument("--shrink", type=float, default=LSTM["shrink"], help="second layer's width over the first's")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        settings, lstm = models(Path(folder), options.precision, LSTM | {"shrink": options.shrink})
        result: dict[str, Any] = {"cpus": os.cpu_count(), "precision": options.precision, "shrink": options.shrink}
        result["in_process"] = in_process(lstm, options.repeats)
        result["http"] = over_http(settings, options.repeats)
    result["load_1min"] = round(os.getloadavg()[0], 2)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def models(folder: Path, precision: Any, lstm: dict[str, float]) -> tuple[Neural, Trained]:
    """Registered models `lstm` and `linear`, and the first of them."""
    asked = Inference(port=PORT, alias="live", preload=("lstm", "linear"), precision=precision, slowest_ms=1000.0)
    settings = Neural(registry=str(folder / "models"), cache=folder / "cache", inference=asked)
    registry = open_registry(settings)
    clock = np.arange(2000)
    times = np.datetime64("2026-01-01", "us") + clock * np.timedelta64(1, "h")
    noise = np.random.default_rng(0).normal(size=(2, 2000))
    panel = SeriesPanel(("a", "b"), times, np.stack([10 + np.sin(clock / 4), np.cos(clock / 9)]) + 0.1 * noise)
    made = {}
    for name, model, parameters in (("lstm", "lstm", lstm), ("linear", "nlinear", {})):
        recipe = Recipe(model=model, parameters=parameters, lookback=LOOKBACK, horizon=HORIZON, batch=64, steps=60)
        made[name] = train(panel, recipe)
        save_bundle(made[name], folder / "bundle")
        save_reference(reference_of(panel, made[name]), folder / "bundle")
        registry.promote(name, registry.register(folder / "bundle", name), "live")
    return settings, made["lstm"]


def in_process(trained: Trained, repeats: int) -> dict[str, float]:
    """Median times of one series: the module alone on scaled tensors, and a forecast from values to values."""
    predictor, network = Predictor(trained), trained.network.eval()
    values = np.random.default_rng(1).normal(size=LOOKBACK)
    empty = torch.zeros((1, LOOKBACK, 0)), torch.zeros((1, LOOKBACK + HORIZON, 0)), torch.zeros((1, 0))
    batch = Batch(torch.randn(1, LOOKBACK), torch.ones((1, 1)).expand(1, LOOKBACK), *empty)

    def bare() -> None:
        with torch.inference_mode():
            network(batch)

    ways = {"bare_ms": bare, "forecast_ms": lambda: predictor.forecast_one(values)}
    found = {name: [] for name in ways}  # type: dict[str, list[float]]
    for _ in range(repeats + ROOM):
        for name, run in ways.items():
            found[name].append(timed(run))
    result = {name: 1e3 * statistics.median(times[ROOM:]) for name, times in found.items()}
    return result | {"ratio": result["forecast_ms"] / result["bare_ms"]}


def over_http(settings: Neural, repeats: int) -> dict[str, float]:
    """Latencies over one connection, interleaved, and windows by the second that the replica's core was busy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from actors.cluster import connect, disconnect
        from deployments.inference.application import start, stop

    connect(None, num_cpus=4, object_store_mb=150)
    try:
        start(settings)
        empty_handler()
        return measured(repeats)
    finally:
        stop()
        disconnect()


def empty_handler() -> None:
    """Put a handler that reads a body and answers with nothing on the same Serve."""
    from fastapi import FastAPI, Request
    from fastapi.responses import Response
    from ray import serve

    app = FastAPI()

    @serve.deployment(name="empty", ray_actor_options={"num_cpus": 0}, max_ongoing_requests=256)
    @serve.ingress(app)
    class Empty:
        """Nothing."""

        @app.post("/")
        async def nothing(self, request: Request) -> Response:
            """Read and answer."""
            await request.body()
            return Response()

    serve.run(Empty.bind(), name="empty", route_prefix="/empty")  # type: ignore[attr-defined]


def measured(repeats: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", PORT)

    def ask(path: str, windows: int) -> Callable[[], None]:
        body, header = question(windows)

        def post() -> None:
            connection.request("POST", path, body, header)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise RuntimeError(said)

        return post

    ways = {
        "empty_ms": ask("/empty/", 1),
        "linear_ms": ask("/v2/models/linear/infer", 1),
        "lstm_ms": ask("/v2/models/lstm/infer", 1),
    }
    found = {name: [] for name in ways}  # type: dict[str, list[float]]
    for _ in range(repeats + ROOM):
        for name, run in ways.items():
            found[name].append(timed(run))
    result = {name: 1e3 * statistics.median(times[ROOM:]) for name, times in found.items()}
    result["overhead"] = result["linear_ms"] / result["empty_ms"]
    for name in ("lstm", "linear"):
        result |= rate(name, ask(f"/v2/models/{name}/infer", WINDOWS), max(20, repeats // 3))
    return result


def rate(name: str, run: Callable[[], None], repeats: int) -> dict[str, float]:
    """Windows a second of time, and a second of processor time of the replica."""
    for _ in range(ROOM):
        run()
    process = replica()
    busy, start = seconds_of(process), time.perf_counter()
    for _ in range(repeats):
        run()
    busy, took = seconds_of(process) - busy, time.perf_counter() - start
    count = WINDOWS * repeats
    return {f"{name}_windows_per_s": count / took, f"{name}_windows_per_core_s": count / max(busy, 1e-9)}


def replica() -> int:
    """Process of the replica."""
    import ray

    names = [a for a in ray.util.list_named_actors(all_namespaces=True) if "inference#inference#" in a["name"]]
    actor = ray.get_actor(names[0]["name"], names[0]["namespace"])
    found: int = ray.get(actor.__ray_call__.remote(lambda _: os.getpid()))
    return found


def seconds_of(process: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def question(windows: int) -> tuple[bytes, dict[str, str]]:
    """Binary request for this many windows."""
    values = np.random.default_rng(2).normal(size=(windows, LOOKBACK)).astype(np.float32)
    tensor = {"name": "target", "datatype": "FP32", "shape": [windows, LOOKBACK]}
    tensor["parameters"] = {"binary_data_size": values.nbytes}  # type: ignore[assignment]
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return head + values.tobytes(), {"Inference-Header-Content-Length": str(len(head))}


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def show(result: dict[str, Any]) -> None:
    alone, http_ = result["in_process"], result["http"]
    print(f"{result['cpus']} cpus, load {result['load_1min']}, {result['precision']} where admitted")
    print(f"one series, in process: {alone['forecast_ms']:.3f} ms, bare module {alone['bare_ms']:.3f} ms, "
          f"{alone['ratio']:.2f} times (goal: at most 2)")  # fmt: skip
    print(
        f"one window over HTTP:   LSTM {http_['lstm_ms']:.2f} ms (goal: below 10), linear {http_['linear_ms']:.2f} ms"
    )
    print(f"beside an empty handler {http_['empty_ms']:.2f} ms: {http_['overhead']:.2f} times (goal: at most 1.5)")
    for name in ("lstm", "linear"):
        print(f"{WINDOWS} windows a request, {name}: {http_[f'{name}_windows_per_s']:,.0f} windows/s, "
              f"{http_[f'{name}_windows_per_core_s']:,.0f} by core (goal for the LSTM: at least 5,000)")  # fmt: skip


if __name__ == "__main__":
    main()
