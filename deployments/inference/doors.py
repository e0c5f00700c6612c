"""The doors of a replica: paths of the Open Inference Protocol, version 2, and `/forecast`.

Every refusal is `{"error": sentence, "code": word}` with a status of 4xx; the codes are those of the error classes and
do not change. What is the server's own fault is logged with its traceback and answered 500; it goes on serving.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.inference.service import HEADER, Reply, Service
from nt_ray.errors import NeuralTraderError
from nt_ray.neural.serving import metadata
from nt_ray.neural.serving.problems import MalformedRequestError, TooLargeError

PLAIN: Final = ("", "identity")
CODES: Final = {404: "not_found", 405: "method_not_allowed"}

_log = logging.getLogger(__name__)


class Doors:
    """Answers to the requests of each path."""

    def __init__(self, service: Service, largest_body: int) -> None:
        self._service = service
        self._limit = largest_body

    def application(self) -> Starlette:
        """Build the application; what is asked most stands first, since paths are searched in their order."""
        model = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
        routes = [Route(f"{path}/infer", self.infer, methods=["POST"]) for path in model]
        routes.append(Route("/forecast", self.forecast, methods=["POST"]))
        routes += [Route(f"/v2/health/{word}", self.health) for word in ("live", "ready")]
        routes += [Route(f"{path}/ready", self.ready) for path in model]
        routes += [Route(path, self.describe) for path in model]
        routes += [Route("/v2", self.server), Route("/v2/repository/index", self.index, methods=["POST"])]
        handlers = {NeuralTraderError: _refused, HTTPException: _not_there, Exception: _broken}
        return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]

    async def infer(self, request: Request) -> Response:
        """Forecast windows."""
        name, version = _asked(request)

        async def answer(body: bytes) -> Reply:
            return await self._service.infer(name, version, body, request.headers.get(HEADER))

        return await self._counted("infer", request, answer)

    async def forecast(self, request: Request) -> Response:
        """Forecast series."""
        media, parameters = request.headers.get("content-type", ""), request.query_params

        async def answer(body: bytes) -> Reply:
            return await self._service.forecast(body, media, parameters)

        return await self._counted("forecast", request, answer)

    async def health(self, _: Request) -> Response:
        """Answer; a replica is there once its models are loaded."""
        return Response()

    async def server(self, _: Request) -> Response:
        """Describe the server."""
        return JSONResponse(metadata.server())

    async def index(self, request: Request) -> Response:
        """List versions; where the request is `{"ready": true}`, those in memory alone."""
        return JSONResponse(await self._service.index(ready=metadata.only_ready(await self._body(request))))

    async def describe(self, request: Request) -> Response:
        """Describe a model."""
        return JSONResponse(await self._service.describe(*_asked(request)))

    async def ready(self, request: Request) -> Response:
        """Answer where a model can be asked."""
        await self._service.model(*_asked(request))
        return Response()

    async def _body(self, request: Request) -> bytes:
        encoding = request.headers.get("content-encoding", "")
        if encoding not in PLAIN:
            raise MalformedRequestError(f"The body is encoded as {encoding}. Send it as it is.")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._limit:
                raise TooLargeError(f"The request has more than {self._limit} bytes. Send fewer.")
        return bytes(body)

    async def _counted(self, door: str, request: Request, answer: Callable[[bytes], Awaitable[Reply]]) -> Response:
        start, model, code = time.perf_counter(), "", "internal"
        with self._service.inside():
            try:
                body = await self._body(request)
                # The time that a caller takes to send is not the server's.
                start = time.perf_counter()
                reply = await answer(body)
                model, code = reply.model, "ok"
            except NeuralTraderError as error:
                code = error.code
                raise
            except ClientDisconnect:
                code = "disconnected"
                raise
            finally:
                # Only models that were found are named, so that callers cannot make up labels.
                self._service.metrics.request(door, model, code, time.perf_counter() - start)
        return Response(reply.body, media_type=reply.media, headers=dict(reply.headers))


def _asked(request: Request) -> tuple[str, str]:
    """Name and version, empty where none is in the path."""
    return request.path_params["name"], request.path_params.get("version", "")


async def _refused(_: Request, error: NeuralTraderError) -> JSONResponse:
    if error.status >= 500:
        _log.error("A request failed.", exc_info=error)
    return _problem(error.status, error.code, str(error))


async def _not_there(request: Request, error: HTTPException) -> JSONResponse:
    what = f"{request.method} {request.url.path}"
    return _problem(error.status_code, CODES.get(error.status_code, "http"), f"{what}: {error.detail}. See /v2.")


async def _broken(_: Request, error: Exception) -> JSONResponse:
    _log.error("A request failed.", exc_info=error)
    return _problem(500, "internal", "The server failed on this request. Its log says why.")


def _problem(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": message, "code": code}, status)
