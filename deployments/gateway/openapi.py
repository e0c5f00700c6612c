"""The OpenAPI document: what routes say of themselves, how to show who one is, and the shape of refusals."""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from deployments.gateway.middleware.idempotency import HEADER, PATTERN, UNKEPT
from deployments.gateway.platform.examples import EXAMPLES
from deployments.gateway.problems import MEDIA, is_alpaca

_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token, or an API key."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "alpaca_id": {"type": "apiKey", "in": "header", "name": "APCA-API-KEY-ID"},
    "alpaca_secret": {"type": "apiKey", "in": "header", "name": "APCA-API-SECRET-KEY"},
}
_SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"key": []}, {"alpaca_id": [], "alpaca_secret": []}]
_CHANGES: Final = frozenset({"post", "put", "patch", "delete"})
ABSENT: Final = "not available"
"""Tag of routes that always refuse."""
_NOT_HERE: Final = {"code": 40410000, "message": "Options are not traded here. Use the venue itself for that."}
_FAULTS: Final = "HTTPValidationError"
"""Shape of refusals that the framework writes down for itself and that nobody is sent."""
_KEY: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same request under the same key is done once and has the same answer, for a day.",
    "schema": {"type": "string", "pattern": PATTERN},
    "example": "3f0c2a4e-order-7",
}
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Problem details (RFC 9457); `code` is stable.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "example": "urn:nt-ray:problem:forbidden"},
        "title": {"type": "string", "example": "Forbidden"},
        "status": {"type": "integer", "example": 403},
        "detail": {"type": "string"},
        "code": {"type": "string", "example": "forbidden"},
        "request_id": {"type": "string"},
    },
}
_ALPACA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A refusal in Alpaca's form; `rule` names what denied an order, the rest what it would have closed.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "integer", "example": 40310000},
        "message": {"type": "string"},
        "rule": {"type": "string", "example": "order_notional"},
        "client_order_id": {"type": "string"},
        "symbol": {"type": "string"},
        "existing_qty": {"type": "string"},
        "held_for_orders": {"type": "string"},
        "related_orders": {"type": "array", "items": {"type": "string"}},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def describe(app: FastAPI) -> None:
    """Let an application complete its document when it is first asked for."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(plain())
            _show(app.openapi_schema, app.routes)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _completed(found: dict[str, Any]) -> dict[str, Any]:
    parts = found.setdefault("components", {})
    parts["securitySchemes"] = _SCHEMES
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"], schemas["AlpacaRefusal"] = _PROBLEM, _ALPACA
    for unused in (_FAULTS, "ValidationError"):
        schemas.pop(unused, None)
    found["security"] = _SECURITY
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            responses = operation["responses"]
            if _FAULTS in str(responses.get("422")):
                del responses["422"]
            responses["default"] = _refusal(path)
            if ABSENT in operation.get("tags", ()):
                del responses["200"]
                responses["404"] = _refusal(path, _NOT_HERE)
            for told in (operation.get("requestBody", {}), *responses.values()):
                _exemplify(told.get("content", {}))
            if method in _CHANGES and not path.startswith(UNKEPT):
                operation.setdefault("parameters", []).append(_KEY)
    return found


def _exemplify(content: dict[str, Any]) -> None:
    """Show a body or an answer by the example of its schema, or of the first of those that it may have."""
    for shown in content.values():
        schema = shown.get("schema", {})
        names = [found["$ref"].rpartition("/")[2] for found in (schema, *schema.get("oneOf", ())) if "$ref" in found]
        example = next((EXAMPLES[name] for name in names if name in EXAMPLES), None)
        if example is not None and "example" not in shown:
            shown["example"] = example


def _show(found: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Put examples of answers in as they are: the framework leaves out what is null in them."""
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for status, told in route.responses.items():
                for media, content in told.get("content", {}).items():
                    if "example" in content:
                        for method in route.methods or ():
                            operation = found["paths"][route.path_format][method.lower()]
                            operation["responses"][str(status)]["content"][media]["example"] = content["example"]


def _refusal(path: str, example: dict[str, Any] | None = None) -> dict[str, Any]:
    media, name = ("application/json", "AlpacaRefusal") if is_alpaca(path) else (MEDIA, "Problem")
    shown = {} if example is None else {"example": example}
    return {
        "description": "A refusal",
        "content": {media: {"schema": {"$ref": f"#/components/schemas/{name}"}, **shown}},
    }
