"""The doors in process, before a service that is told what to answer."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from deployments.inference.doors import Doors
from deployments.inference.service import ARROW, BINARY, HEADER, Reply
from nt_ray.errors import NeuralTraderError
from nt_ray.neural.problems import NeuralError


class BrokenError(NeuralTraderError):
    """A fault of the server that has a name."""

    status, code = 503, "broken"


class Told:
    """A service that answers what it was asked, and counts as the real one."""

    def __init__(self) -> None:
        self.metrics, self.now, self.most = self, 0, 0
        self.counts: list[tuple[str, str, str]] = []

    @contextmanager
    def inside(self) -> Iterator[None]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            yield
        finally:
            self.now -= 1

    def request(self, door: str, model: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.counts.append((door, model, code))

    async def infer(self, name: str, version: str, body: bytes, header: str | None) -> Reply:
        if name in ("refused", "down", "fault"):
            raise {
                "refused": NeuralError("No. Ask another."),
                "down": BrokenError("Down."),
                "fault": ZeroDivisionError(),
            }[name]
        await asyncio.sleep(0)
        return Reply(name, f"{name}/{version}/{len(body)}/{header}".encode(), BINARY, {HEADER: "3"})

    async def forecast(self, body: bytes, media: str, parameters: Any) -> Reply:
        return Reply("m", body + parameters["model"].encode(), ARROW)

    async def model(self, name: str, version: str) -> str:
        return await self.describe(name, version)

    async def describe(self, name: str, version: str) -> Any:
        if name == "none":
            raise NeuralError("No model. Train one.")
        return {"name": name, "version": version}

    async def index(self, *, ready: bool = False) -> list[str]:
        return ["m"] if ready else ["m", "n"]


def asked(service: Told, *requests: tuple[str, str, dict[str, Any]], limit: int = 100) -> list[httpx.Response]:
    """Answers to requests that are asked at once."""

    async def run() -> list[httpx.Response]:
        app = Doors(service, limit).application()  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return list(await asyncio.gather(*(client.request(how, path, **more) for how, path, more in requests)))

    return asyncio.run(run())


def test_each_path_has_its_answer() -> None:
    service = Told()
    versioned, plain, table = asked(
        service,
        ("POST", "/v2/models/m@next/versions/7/infer", {"content": b"12345", "headers": {HEADER: "2"}}),
        ("POST", "/v2/models/m/infer", {"content": b"1"}),
        ("POST", "/forecast?model=x", {"content": b"abc", "headers": {"content-type": ARROW}}),
    )
    assert (versioned.text, versioned.headers[HEADER]) == ("m@next/7/5/2", "3")
    assert (plain.text, plain.headers["content-type"]) == ("m//1/None", BINARY)
    assert (table.text, table.headers["content-type"]) == ("abcx", ARROW)
    assert sorted(service.counts) == [("forecast", "m", "ok"), ("infer", "m", "ok"), ("infer", "m@next", "ok")]
    assert service.now == 0
    assert service.most == 3
    found = asked(
        service,
        *[("GET", path, {}) for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/m/ready")],
        ("GET", "/v2/models/m/versions/3", {}),
        ("POST", "/v2/repository/index", {}),
        ("POST", "/v2/repository/index", {"json": {"ready": False}}),
        ("POST", "/v2/repository/index", {"json": {"ready": True}}),
    )
    assert [answer.status_code for answer in found] == [200] * 8
    # Models are not loaded by order, which `model_repository` would promise.
    assert found[0].json()["extensions"] == ["binary_tensor_data"]
    assert [answer.content for answer in found[1:4]] == [b""] * 3
    assert found[4].json() == {"name": "m", "version": "3"}
    assert [answer.json() for answer in found[5:]] == [["m", "n"], ["m", "n"], ["m"]]


@pytest.mark.parametrize(
    ("how", "path", "more", "status", "code"),
    [
        ("POST", "/v2/models/refused/infer", {}, 422, "neural"),
        ("POST", "/v2/models/down/infer", {}, 503, "broken"),
        ("POST", "/v2/models/fault/infer", {}, 500, "internal"),
        ("POST", "/v2/models/m/infer", {"content": b"1" * 101}, 413, "too_large"),
        ("POST", "/forecast?model=x", {"headers": {"content-encoding": "gzip"}}, 400, "malformed_request"),
        ("GET", "/v2/models/none/ready", {}, 422, "neural"),
        ("GET", "/v2/models/m/infer", {}, 405, "method_not_allowed"),
        ("GET", "/elsewhere", {}, 404, "not_found"),
        ("POST", "/v2/repository/models/m/load", {}, 404, "not_found"),
        ("POST", "/v2/repository/index", {"content": b"{"}, 400, "malformed_request"),
        ("POST", "/v2/repository/index", {"json": {"ready": "yes"}}, 400, "malformed_request"),
        ("POST", "/v2/repository/index", {"json": [1]}, 400, "malformed_request"),
    ],
)
def test_what_is_wrong_has_a_status_and_a_code(
    how: str, path: str, more: dict[str, Any], status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = Told()
    (answer,) = asked(service, (how, path, more))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert isinstance(answer.json()["error"], str)
    assert service.now == 0
    # What is the server's own fault is logged, what is the caller's is not.
    assert bool(caplog.records) == (status >= 500)
    # A refusal is counted, of a body that was never read as well.
    door = {"infer": "infer", "forecast": "forecast"}.get(path.rpartition("/")[2].partition("?")[0])
    assert service.counts == ([(door, "", code)] if how == "POST" and door else [])
