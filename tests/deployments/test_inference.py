"""The application on a running Serve, asked by the protocol's own client and by others, while models change.

In default mode on the Ray of the tests, and in throughput mode as it is started, behind HAProxy on a Ray of its own.
"""

import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

from nt_ray.config.sections import Inference, Neural
from nt_ray.errors import ServiceError
from nt_ray.neural.inference.bundle import save_bundle
from nt_ray.neural.inference.predictor import Predictor
from nt_ray.neural.registry.registry import Registry, open_registry
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.serving.reference import reference_of, save_reference
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.trained import Trained
from nt_ray.neural.training.training import train

START = np.datetime64("2026-01-01", "us")
LEVELS = (0.1, 0.5, 0.9)
RECIPE = Recipe(
    model="rlinear",
    lookback=12,
    horizon=4,
    batch=16,
    steps=5,
    lr=0.01,
    validate_every=0,
    head="quantile",
    levels=LEVELS,
)


class Served:
    """A server with two versions of `m`, of which `live` is the first, and one of `s`, scaled by series."""

    def __init__(self, folder: Path, port: int) -> None:
        asked = Inference(
            port=port, alias="live", preload=("m",), poll_s=0.05, largest_batch=32, precision="bf16", bound=0.05
        )
        self.settings = Neural(registry=str(folder / "models"), cache=folder / "cache", inference=asked)
        self.registry: Registry = open_registry(self.settings)
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        clock = np.arange(120)
        rows = np.stack([10 + np.sin(clock / 3), np.cos(clock / 5) - 4])
        self.panel = SeriesPanel(("a", "b"), START + clock * np.timedelta64(1, "h"), rows)
        self.models = {("m", n): self.register("m", seed=n) for n in (1, 2)}
        self.models["s", 1] = self.register("s", scaling="fold", head="mse")
        self.registry.promote("m", 1, "live")
        self.registry.promote("s", 1, "live")
        self.windows = rows[:, -12:].astype(np.float32)

    def register(self, name: str, **change: object) -> Trained:
        trained = train(self.panel, RECIPE.model_copy(update=change))
        save_bundle(trained, self.folder / "bundle")
        save_reference(reference_of(self.panel, trained, 20), self.folder / "bundle", trained.scaler.names)
        self.registry.register(self.folder / "bundle", name)
        return trained

    def truth(self, name: str, version: int) -> np.ndarray:
        return Predictor(self.models[name, version]).forecast(self.panel).mean

    def post(self, path: str, **more: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=60, **more)

    def infer(self, path: str = "/v2/models/m/infer", **change: Any) -> httpx.Response:
        tensor = {"name": "target", "datatype": "FP32", "shape": [2, 12], "data": self.windows.tolist()} | change
        return self.post(path, json={"inputs": [tensor]})


@pytest.fixture(scope="module", params=["default", "throughput"])
def served(
    request: pytest.FixtureRequest, new_room: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    room = new_room()
    server = Served(tmp_path_factory.mktemp("served"), room.port)
    if request.param == "default":
        request.getfixturevalue("ray_cluster")
    with started_here(server) if request.param == "default" else started_behind_haproxy(server, room.environment):
        yield server


@contextmanager
def started_here(server: Served) -> Iterator[None]:
    from deployments.inference.application import start, stop

    assert start(server.settings) == server.url
    yield
    stop()


@contextmanager
def started_behind_haproxy(server: Served, environment: dict[str, str]) -> Iterator[None]:
    asked = server.settings.inference.model_dump(mode="json", exclude_defaults=True) | {"throughput": True}
    values = {f"neural.inference.{name}": value for name, value in asked.items()}
    values |= {"neural.registry": server.settings.registry, "neural.cache": str(server.settings.cache)}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    # Into a file: a pipe that nobody reads holds the server up once it is full.
    with (server.folder / "stderr").open("w") as remarks:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", "serve", "inference", "--json"]
            + [part for name, text in texts.items() for part in ("--set", f"{name}={text}")],
            stdout=subprocess.PIPE, stderr=remarks, text=True, env=environment,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (server.folder / "stderr").read_text()
        assert json.loads(line)["url"] == server.url
        yield
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_the_client_of_the_protocol_works_against_it(served: Served) -> None:
    from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
    from tritonclient.utils import InferenceServerException

    with InferenceServerClient(served.url.removeprefix("http://"), network_timeout=60) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("m")
        assert not client.is_model_ready("none")
        assert client.get_server_metadata()["name"] == "nt-ray"
        told = client.get_model_metadata("m")
        assert (told["name"], told["versions"], told["platform"]) == ("m", ["1", "2"], "nt-ray_bf16")
        assert [(i["name"], i["shape"]) for i in told["inputs"]] == [("target", [-1, 12])]
        assert {"name": "m", "version": "1", "state": "READY"} in client.get_model_repository_index()
        assert "model_repository" not in client.get_server_metadata()["extensions"]
        ready = served.post("/v2/repository/index", json={"ready": True}).json()
        assert {"name": "m", "version": "1", "state": "READY"} in ready
        assert {model["state"] for model in ready} == {"READY"}

        for binary in (True, False):
            given = InferInput("target", [2, 12], "FP32")
            given.set_data_from_numpy(served.windows, binary_data=binary)
            wanted = [InferRequestedOutput(name, binary_data=binary) for name in ("mean", "quantiles")]
            answer = client.infer("m", [given], model_version="1", outputs=wanted, request_id="7")
            assert answer.get_response()["id"] == "7"
            np.testing.assert_allclose(answer.as_numpy("mean"), served.truth("m", 1), rtol=0.01)
            quantiles = answer.as_numpy("quantiles")
            assert quantiles.shape == (2, 4, 3)
            assert (np.diff(quantiles, axis=2) >= 0).all()

        names = InferInput("series", [2], "BYTES")
        names.set_data_from_numpy(np.array(["a", "b"], dtype=object))
        answer = client.infer("s", [given, names])
        np.testing.assert_allclose(answer.as_numpy("mean"), served.truth("s", 1), rtol=0.01)
        with pytest.raises(InferenceServerException, match="no model none") as caught:
            client.infer("none", [given])
        assert caught.value.status() == "404"


def test_series_are_forecast_from_json_and_from_a_table(served: Served) -> None:
    body = {"model": "m", "version": "2", "target": served.panel.target.tolist(), "levels": [0.1, 0.9]}
    told = served.post("/forecast", json=body).json()
    np.testing.assert_allclose(told["mean"], served.truth("m", 2), rtol=0.01)
    assert np.shape(told["quantiles"]) == (2, 4, 2)
    room = io.BytesIO()
    pl.DataFrame({"name": ["a", "b"], "target": served.panel.target.tolist()}).write_ipc_stream(room)
    media = {"content-type": "application/vnd.apache.arrow.stream"}
    answer = served.post(
        "/forecast?model=m&version=2&levels=0.1,0.9&frequency=1h", content=room.getvalue(), headers=media
    )
    table = pl.read_ipc_stream(io.BytesIO(answer.content))
    assert table.columns == ["name", "mean", "q0.1", "q0.9"]
    np.testing.assert_allclose(np.stack(table["mean"].to_list()), told["mean"])


@pytest.mark.parametrize(
    ("path", "change", "status", "code"),
    [
        ("/v2/models/none/infer", {}, 404, "unknown_model"),
        ("/v2/models/m/versions/9/infer", {}, 404, "unknown_version"),
        ("/v2/models/m@none/infer", {}, 404, "unknown_alias"),
        ("/v2/models/m/versions/x/infer", {}, 422, "model_reference"),
        ("/v2/models/m/infer", {"shape": [12, 2]}, 422, "short_series"),
        ("/v2/models/m/infer", {"shape": [3, 8]}, 422, "short_series"),
        ("/v2/models/m/infer", {"shape": [1, 24]}, 422, "wrong_shape"),
        ("/v2/models/m/infer", {"datatype": "INT32"}, 422, "wrong_datatype"),
        ("/v2/models/m/infer", {"data": [1.0] * 24}, 422, "constant_series"),
        ("/v2/models/m/infer", {"name": "other"}, 422, "wrong_inputs"),
        ("/v2/models/m/infer", {"data": "x"}, 400, "malformed_request"),
        ("/v2/models/s/infer", {}, 422, "wrong_inputs"),
        ("/v2/nowhere", {}, 404, "not_found"),
        ("/v2", {}, 405, "method_not_allowed"),
    ],
)
def test_bad_requests_get_a_code_and_the_server_goes_on(
    served: Served, path: str, change: dict[str, Any], status: int, code: str
) -> None:
    answer = served.infer(path, **change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert isinstance(answer.json()["error"], str)
    assert served.infer().status_code == 200


def test_values_that_are_none_and_bodies_that_are_no_json_are_refused(served: Served) -> None:
    windows = np.full((1, 12), np.nan, np.float32)
    tensor = {"name": "target", "datatype": "FP32", "shape": [1, 12], "parameters": {"binary_data_size": 48}}
    head = json.dumps({"inputs": [tensor]}).encode()
    sent = {"Inference-Header-Content-Length": str(len(head))}
    for body, headers, code in (
        (head + windows.tobytes(), sent, "missing_value"),
        (head, sent, "malformed_request"),
        (head, {"Content-Encoding": "gzip"}, "malformed_request"),
        (b"\xff\xfe", {}, "malformed_request"),
    ):
        answer = served.post("/v2/models/m/infer", content=body, headers=headers)
        assert (answer.status_code // 100, answer.json()["code"]) == (4, code)


def test_no_request_fails_while_an_alias_changes_and_each_answer_is_one_version_s(served: Served) -> None:
    truth = {str(n): served.truth("m", n) for n in (1, 2)}
    stop = threading.Event()
    seen: list[tuple[int, str]] = []

    def ask() -> None:
        tensor = {"name": "target", "datatype": "FP32", "shape": [2, 12], "data": served.windows.tolist()}
        with httpx.Client(timeout=60) as client:
            while not stop.is_set():
                answer = client.post(served.url + "/v2/models/m/infer", json={"inputs": [tensor]})
                told = answer.json()
                seen.append((answer.status_code, told["model_version"]))
                mean = np.reshape(told["outputs"][0]["data"], (2, 4))
                np.testing.assert_allclose(mean, truth[told["model_version"]], rtol=0.01)

    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            ask()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for version in (2, 1, 2, 1):
            served.registry.promote("m", version, "live")
            deadline = time.monotonic() + 30
            while [v for _, v in seen[-20:]] != [str(version)] * 20 and time.monotonic() < deadline and not errors:
                time.sleep(0.01)
            assert seen[-1][1] == str(version)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors
    assert {status for status, _ in seen} == {200}
    assert len(seen) >= 80


def test_prometheus_reads_what_was_asked_and_refused(served: Served, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["served"] != "default":
        pytest.skip("the Ray behind HAProxy is that of another process")
    import ray

    assert served.infer().status_code == 200
    assert served.infer("/v2/models/none/infer").status_code == 404
    assert served.post("/forecast", content=b"", headers={"Content-Encoding": "gzip"}).status_code == 400
    (node,) = ray.nodes()
    deadline, missing, text = time.monotonic() + 60, ["?"], ""
    while missing and time.monotonic() < deadline:
        text = httpx.get(f"http://127.0.0.1:{node['MetricsExportPort']}/metrics", timeout=60).text
        lines = [line for line in text.splitlines() if line.startswith("ray_nt_inference_")]
        missing = [
            words
            for words in (
                ("requests", 'door="infer"', 'model="m"', 'code="ok"'),
                ("requests", 'door="infer"', 'model=""', 'code="unknown_model"'),
                ("requests", 'door="forecast"', 'model=""', 'code="malformed_request"'),
                ("seconds_bucket", 'door="infer"', 'model="m"'),
                ("windows", 'model="m"', 'version="1"'),
                ("pass_windows_bucket", 'model="m"'),
                ("load_seconds_bucket", 'model="m"'),
                ("cache_bytes",),
                ("cache_models",),
            )
            if not any(all(word in line for word in words) for line in lines)
        ]
        time.sleep(0.5)
    assert not missing


def test_a_second_server_at_the_same_port_is_refused(served: Served) -> None:
    from deployments.inference.application import start

    with pytest.raises(ServiceError, match="Something listens"):
        start(served.settings)
