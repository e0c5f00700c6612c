"""The doors of a replica: paths of the Open Inference Protocol, version 2, and `/forecast`.

Every refusal is `{"error": sentence, "code": word}` with a status of 4xx; the codes are those of the error classes and
do not change. What is the server's own fault is logged with its traceback and answered 500; it goes on serving.
"""

import logging
import time
from collections.abc import Awaitable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from ray import serve
from starlette.exceptions import HTTPException

from deployments.inference.service import HEADER, Reply, Service
from nt_ray.config.sections import Neural
from nt_ray.errors import NeuralTraderError
from nt_ray.neural.serving import metadata
from nt_ray.neural.serving.problems import MalformedRequestError, TooLargeError
from nt_ray.project import project

PLAIN = ("", "identity")
CODES = {404: "not_found", 405: "method_not_allowed"}

log = logging.getLogger(__name__)

app = FastAPI(title="nt-ray", version=project().version, openapi_url=None)


@app.exception_handler(NeuralTraderError)
async def _refused(_: Request, error: NeuralTraderError) -> JSONResponse:
    if error.status >= 500:
        log.error("A request failed.", exc_info=error)
    return _problem(error.status, error.code, str(error))


@app.exception_handler(HTTPException)
async def _not_there(request: Request, error: HTTPException) -> JSONResponse:
    what = f"{request.method} {request.url.path}"
    return _problem(error.status_code, CODES.get(error.status_code, "http"), f"{what}: {error.detail}. See /v2.")


@app.exception_handler(Exception)
async def _broken(_: Request, error: Exception) -> JSONResponse:
    log.error("A request failed.", exc_info=error)
    return _problem(500, "internal", "The server failed on this request. Its log says why.")


def _problem(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": message, "code": code}, status)


@serve.deployment
@serve.ingress(app)
class Inference:
    """One replica."""

    def __init__(self, settings: Neural) -> None:
        self._limit = settings.inference.largest_request_mb << 20
        self._service = Service(settings)

    def check_health(self) -> None:
        """Fail where aliases are no longer followed, so that Serve starts another replica."""
        if not self._service.alive:
            raise RuntimeError("The thread that follows aliases has ended.")

    @app.get("/v2/health/live")
    @app.get("/v2/health/ready")
    async def health(self) -> Response:
        """Answer; a replica is there once its models are loaded."""
        return Response()

    @app.get("/v2")
    async def server(self) -> dict[str, Any]:
        """Describe the server."""
        return metadata.server()

    @app.post("/v2/repository/index")
    async def index(self) -> list[dict[str, str]]:
        """List models."""
        return await self._service.index()

    @app.get("/v2/models/{name}")
    @app.get("/v2/models/{name}/versions/{version}")
    async def describe(self, name: str, version: str = "") -> dict[str, Any]:
        """Describe a model."""
        return await self._service.describe(name, version)

    @app.get("/v2/models/{name}/ready")
    @app.get("/v2/models/{name}/versions/{version}/ready")
    async def ready(self, name: str, version: str = "") -> Response:
        """Answer where a model can be asked."""
        await self._service.model(name, version)
        return Response()

    @app.post("/v2/models/{name}/infer")
    @app.post("/v2/models/{name}/versions/{version}/infer")
    async def infer(self, request: Request, name: str, version: str = "") -> Response:
        """Forecast windows."""
        body = await self._body(request)
        header = request.headers.get(HEADER)
        return await self._counted("infer", self._service.infer(name, version, body, header))

    @app.post("/forecast")
    async def forecast(self, request: Request) -> Response:
        """Forecast series."""
        body = await self._body(request)
        media, parameters = request.headers.get("content-type", ""), request.query_params
        return await self._counted("forecast", self._service.forecast(body, media, parameters))

    async def _body(self, request: Request) -> bytes:
        encoding = request.headers.get("content-encoding", "")
        if encoding not in PLAIN:
            raise MalformedRequestError(f"The body is encoded as {encoding}. Send it as it is.")
        body = await request.body()
        if len(body) > self._limit:
            raise TooLargeError(f"The request has {len(body)} bytes, and at most {self._limit} are taken. Send fewer.")
        return body

    async def _counted(self, door: str, work: Awaitable[Reply]) -> Response:
        start, model, code = time.perf_counter(), "", "internal"
        try:
            reply = await work
            model, code = reply.model, "ok"
        except NeuralTraderError as error:
            code = error.code
            raise
        finally:
            # Only models that were found are named, so that callers cannot make up labels.
            self._service.metrics.request(door, model, code, time.perf_counter() - start)
        return Response(reply.body, media_type=reply.media, headers=dict(reply.headers))

    def __del__(self) -> None:
        service = getattr(self, "_service", None)
        if service is not None:
            service.close()
