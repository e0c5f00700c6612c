"""The measurements of `benchmarks.inference`, in one mode of Ray Serve and one precision; its process is prepared."""

import asyncio
import http.client
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from starlette.types import ASGIApp, Message

from nt_ray.config.sections import Inference, Neural
from nt_ray.neural.inference.bundle import save_bundle
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.registry.registry import open_registry
from nt_ray.neural.series.batch import Batch
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.reference import reference_of, save_reference
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import train

HORIZON, WINDOWS = 24, 64
LSTM: Final = {"hidden": 128.0, "layers": 2.0, "shrink": 1.0, "dropout": 0.0}
PORT: Final = 18_231
ROOM: Final = 20
"""Requests before the first that counts."""

Run = Callable[[], object]
Question = tuple[bytes, dict[str, str]]


def bench(folder: Path, precision: str, repeats: int, lookback: int, lstm: dict[str, float]) -> dict[str, Any]:
    """Every figure; `lstm` takes the place of parameters of `LSTM`."""
    torch.set_num_threads(1)
    settings, trained = models(folder, precision, lookback, LSTM | lstm)
    found: dict[str, Any] = {"windows": WINDOWS, "in_process": in_process(trained, repeats)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from actors.cluster import connect, disconnect
        from deployments.inference.application import start, stop
    connect(None, num_cpus=4, object_store_mb=150)
    try:
        found |= stages(settings, trained, max(20, repeats // 3))
        start(settings)
        empty_handler()
        return found | over_http(lookback, repeats)
    finally:
        stop()
        disconnect()


def models(folder: Path, precision: Any, lookback: int, lstm: dict[str, float]) -> tuple[Neural, Trained]:
    """Registered models `lstm` and `linear`, and the first of them."""
    asked = Inference(
        port=PORT,
        alias="live",
        preload=("lstm", "linear"),
        precision=precision,
        slowest_ms=1000.0,
        largest_batch=WINDOWS,
    )
    settings = Neural(registry=str(folder / "models"), cache=folder / "cache", inference=asked)
    registry = open_registry(settings)
    clock = np.arange(2000)
    times = np.datetime64("2026-01-01", "us") + clock * np.timedelta64(1, "h")
    noise = np.random.default_rng(0).normal(size=(2, 2000))
    panel = SeriesPanel(("a", "b"), times, np.stack([10 + np.sin(clock / 4), np.cos(clock / 9)]) + 0.1 * noise)
    made = {}
    for name, model, parameters in (("lstm", "lstm", lstm), ("linear", "nlinear", {})):
        recipe = Recipe(model=model, parameters=parameters, lookback=lookback, horizon=HORIZON, batch=64, steps=20)
        made[name] = train(panel, recipe)
        save_bundle(made[name], folder / "bundle")
        save_reference(reference_of(panel, made[name]), folder / "bundle")
        registry.promote(name, registry.register(folder / "bundle", name), "live")
    return settings, made["lstm"]


def in_process(trained: Trained, repeats: int) -> dict[str, float]:
    """Median times of one series: the module alone on scaled tensors, and a forecast from values to values."""
    predictor = Predictor(trained)
    values = np.random.default_rng(1).normal(size=trained.network.shape.lookback)
    ways = {"bare_ms": bare(trained, 1), "forecast_ms": lambda: predictor.forecast_one(values)}
    found = {name: 1e3 * statistics.median(times) for name, times in in_turns(ways, repeats).items()}
    return found | {"ratio": found["forecast_ms"] / found["bare_ms"]}


def bare(trained: Trained, count: int) -> Run:
    """The module alone, on scaled tensors."""
    network = trained.network.eval()
    past = network.shape.lookback
    empty = torch.zeros((count, past, 0)), torch.zeros((count, past + HORIZON, 0)), torch.zeros((count, 0))
    batch = Batch(torch.randn(count, past), torch.ones((1, 1)).expand(count, past), *empty)

    def run() -> None:
        with torch.inference_mode():
            network(batch)

    return run


def stages(settings: Neural, trained: Trained, repeats: int) -> dict[str, Any]:
    """Processor time of a request of the LSTM up to each stage, in this process, without a socket."""
    from deployments.inference.doors import Doors
    from deployments.inference.service import Service
    from nt_ray.neural.serving.windows import windows

    service, loop = Service(settings), asyncio.new_event_loop()
    model = service.shelf.get("lstm")
    values = windows(model.signature, {"target": rows(WINDOWS, model.signature.lookback)})
    body, headers = question(WINDOWS, model.signature.lookback)
    header = next(iter(headers.values()))
    doors = Doors(service, len(body)).application()
    ways: dict[str, Run] = {
        "module, 32 bits": bare(trained, WINDOWS),
        "a whole pass": lambda: model.warm_up(WINDOWS),
        "windows to forecasts": lambda: model.forecast(values),
        "bytes to bytes": lambda: loop.run_until_complete(service.infer("lstm", "", body, header)),
        "doors, no socket": lambda: loop.run_until_complete(_knock(doors, body, headers)),
    }
    found = in_turns(ways, repeats, time.process_time)
    service.close()
    loop.close()
    # Means: the clock of processor time is too coarse on some machines for one request.
    return {
        "admitted": model.precision,
        "batch": model.batch,
        "cut": model.cut,
        "stages": {name: 1e3 * statistics.fmean(times) for name, times in found.items()},
    }


async def _knock(app: ASGIApp, body: bytes, headers: Mapping[str, str]) -> None:
    """Put one request to an application, as a server would."""
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    path = "/v2/models/lstm/infer"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": named}
    await app(scope | {"query_string": b"", "root_path": "", "scheme": "http", "server": None}, receive, send)
    if told[0]["status"] != 200:
        raise RuntimeError(told)


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


def over_http(lookback: int, repeats: int) -> dict[str, Any]:
    """Latencies of one window over one connection, interleaved, and costs of many windows a request."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    paths = {"empty": "/empty/", "linear": "/v2/models/linear/infer", "lstm": "/v2/models/lstm/infer"}
    times = in_turns({name: _ask(connection, path, question(1, lookback)) for name, path in paths.items()}, repeats)
    found = {f"{name}_ms": 1e3 * statistics.median(taken) for name, taken in times.items()}
    found["lstm_p99_ms"] = 1e3 * statistics.quantiles(times["lstm"], n=100)[98]
    found["overhead"] = found["linear_ms"] / found["empty_ms"]
    asked = {name: _ask(connection, path, question(WINDOWS, lookback)) for name, path in paths.items()}
    rates = {
        name: rate(run, replica("empty" if name == "empty" else "inference"), max(20, repeats // 3))
        for name, run in asked.items()
    }
    return {"http": found, "rates": rates}


def _ask(connection: http.client.HTTPConnection, path: str, asked: Question) -> Run:
    def post() -> None:
        connection.request("POST", path, *asked)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(said)

    return post


def rate(run: Run, process: int, repeats: int) -> dict[str, float]:
    """Processor time of the replica for a request, and windows a second of it and of the clock."""
    for _ in range(ROOM):
        run()
    busy, start = seconds_of(process), time.perf_counter()
    for _ in range(repeats):
        run()
    busy, took = seconds_of(process) - busy, time.perf_counter() - start
    count = WINDOWS * repeats
    return {"busy_ms": 1e3 * busy / repeats, "by_core": count / max(busy, 1e-9), "by_clock": count / took}


def replica(name: str) -> int:
    """Process of the replica of an application and deployment of this name."""
    import ray

    actors = [a for a in ray.util.list_named_actors(all_namespaces=True) if f"{name}#{name}#" in a["name"]]
    actor = ray.get_actor(actors[0]["name"], actors[0]["namespace"])
    found: int = ray.get(actor.__ray_call__.remote(lambda _: os.getpid()))
    return found


def seconds_of(process: int) -> float:
    """Processor time of the threads of a process."""
    # Finer than that of the process as a whole, which counts in hundredths of a second.
    total = 0
    for file in Path(f"/proc/{process}/task").glob("*/schedstat"):
        # A thread may end between its name and its time.
        with suppress(FileNotFoundError, ProcessLookupError):
            total += int(file.read_text().split()[0])
    return total / 1e9


def rows(windows: int, lookback: int) -> npt.NDArray[np.float32]:
    """Look-backs."""
    return np.random.default_rng(2).normal(size=(windows, lookback)).astype("<f4")


def question(windows: int, lookback: int) -> Question:
    """Binary request for this many windows."""
    values = rows(windows, lookback)
    tensor: dict[str, Any] = {"name": "target", "datatype": "FP32", "shape": [windows, lookback]}
    tensor["parameters"] = {"binary_data_size": values.nbytes}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return head + values.tobytes(), {"Inference-Header-Content-Length": str(len(head))}


def in_turns(
    ways: Mapping[str, Run], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Times of each way, one after the other so that all meet the same machine."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + ROOM):
        for name, run in ways.items():
            start = clock()
            run()
            found[name].append(clock() - start)
    return {name: times[ROOM:] for name, times in found.items()}
