"""Refusals: problem details (RFC 9457) with a stable code, or Alpaca's own form on its paths.

A refusal names what is wrong and what to do. What is the server's own fault is told apart by its request id alone:
its message may name files or hosts, and belongs in the log. What the caller sent is never repeated, since it may be
secret.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from nt_ray.brokers.alpaca.shapes import FORBIDDEN, INVALID, NOT_FOUND, TOO_MANY, UNAUTHORIZED, UNPROCESSABLE
from nt_ray.errors import NeuralTraderError

MEDIA: Final = "application/problem+json"
ALPACA: Final = "/v2"
_INTERNAL: Final = "The server failed on this request. Its log says why, under the request id."
_BROKEN_JSON: Final = 40010000
_BY_STATUS: Final = {
    400: _BROKEN_JSON,
    401: UNAUTHORIZED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    409: UNPROCESSABLE,
    422: UNPROCESSABLE,
    429: TOO_MANY,
}
_CODES: Final = {404: "not_found", 405: "method_not_allowed"}
_MOST_FAULTS: Final = 20
_LONGEST_NAME: Final = 32

_log = logging.getLogger(__name__)


class GatewayError(NeuralTraderError):
    """A refusal of the gateway itself."""

    alpaca_code: int | None = None
    details: Mapping[str, Any] = {}


class NotFoundError(GatewayError):
    """Something that is not there."""

    code = "not_found"
    status = 404


class TooLargeError(GatewayError):
    """A body larger than is taken."""

    code = "too_large"
    status = 413

    def __init__(self, most: int) -> None:
        super().__init__(f"The body is larger than {most} bytes. Send less at once.")


class SlowRequestError(GatewayError):
    """A body that does not arrive in time."""

    code = "request_timeout"
    status = 408

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The request did not arrive within {seconds:g} s. Send it again.")


class SlowAnswerError(GatewayError):
    """An answer that does not begin in time."""

    code = "timed_out"
    status = 504

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"There was no answer within {seconds:g} s. What was asked for may still happen: look it up by its id, or "
            "send it again under the same one."
        )


def refusal(scope: Scope, error: NeuralTraderError) -> Response:
    """Write an error in the form of the path that it arose on."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("A request failed: %s", error, exc_info=error)
    text = _INTERNAL if error.status == HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
    details = dict(error.details) if isinstance(error, GatewayError) else {}
    alpaca = error.alpaca_code if isinstance(error, GatewayError) else None
    headers = {}
    wait = getattr(error, "retry_after_s", None) or getattr(error, "retry_after", None)
    if wait is not None:
        headers["Retry-After"] = str(max(1, round(wait + 0.5)))
    elif error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="nt-ray"'
    return written(scope, error.status, error.code, text, details, alpaca=alpaca, headers=headers)


def written(
    scope: Scope,
    status: int,
    code: str,
    detail: str,
    details: Mapping[str, Any] | None = None,
    *,
    alpaca: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Write a refusal; `alpaca` is the number of its form where the status does not say it."""
    request_id = scope.get("state", {}).get("request_id", "")
    if is_alpaca(scope["path"]):
        number = alpaca or _BY_STATUS.get(status) or status * 100_000 + 10_000
        body: dict[str, Any] = {"code": number, "message": detail, **(details or {})}
        return Response(json.dumps(body), status, headers, "application/json")
    body = {
        "type": f"urn:nt-ray:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **({"request_id": request_id} if request_id else {}),
        **(details or {}),
    }
    return Response(json.dumps(body), status, headers, MEDIA)


def internal(scope: Scope) -> Response:
    """Refusal of a request on which the server failed."""
    return written(scope, HTTPStatus.INTERNAL_SERVER_ERROR, "internal", _INTERNAL)


def is_alpaca(path: str) -> bool:
    """Whether a path is one of Alpaca's."""
    return path == ALPACA or path.startswith(ALPACA + "/")


def install(app: FastAPI) -> None:
    """Let an application answer errors in this way."""
    app.add_exception_handler(NeuralTraderError, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _not_there)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, NeuralTraderError):
        raise error
    return refusal(request.scope, error)


async def _not_valid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return written(request.scope, 400, "malformed_json", "The body is no JSON. Send one JSON object.")
    listed = [{"where": _where(fault["loc"]), "what": str(fault["msg"])} for fault in faults[:_MOST_FAULTS]]
    detail = (
        f"{listed[0]['where']}: {listed[0]['what']}. Mend it as the schema says." if listed else "Mend the request."
    )
    return written(request.scope, 422, "invalid_request", detail, {"errors": listed}, alpaca=INVALID)


def _where(path: Sequence[Any]) -> str:
    """Say where a fault is; what is too long for the name of a field may be a secret that was put in its place."""
    return ".".join(part if len(part) <= _LONGEST_NAME else "(a long name)" for part in map(str, path))


async def _not_there(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    what = f"{request.method} {request.url.path}: {error.detail}. See /openapi.json."
    return written(request.scope, error.status_code, _CODES.get(error.status_code, "http"), what, headers=error.headers)
