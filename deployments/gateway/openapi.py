"""The OpenAPI document: what routes say of themselves, how to show who one is, and the shape of refusals."""

from typing import Any, Final

from fastapi import FastAPI

from deployments.gateway.problems import MEDIA, is_alpaca

_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token, or an API key."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "alpaca_id": {"type": "apiKey", "in": "header", "name": "APCA-API-KEY-ID"},
    "alpaca_secret": {"type": "apiKey", "in": "header", "name": "APCA-API-SECRET-KEY"},
}
_SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"key": []}, {"alpaca_id": [], "alpaca_secret": []}]
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
    "description": "A refusal in Alpaca's form; `rule` names what denied an order.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "integer", "example": 40310000},
        "message": {"type": "string"},
        "rule": {"type": "string", "example": "order_notional"},
    },
}


def describe(app: FastAPI) -> None:
    """Let an application complete its document when it is first asked for."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(plain())
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _completed(found: dict[str, Any]) -> dict[str, Any]:
    parts = found.setdefault("components", {})
    parts["securitySchemes"] = _SCHEMES
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"], schemas["AlpacaRefusal"] = _PROBLEM, _ALPACA
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    found["security"] = _SECURITY
    for path, methods in found["paths"].items():
        for operation in methods.values():
            responses = operation["responses"]
            responses.pop("422", None)
            responses["default"] = _refusal(path)
    return found


def _refusal(path: str) -> dict[str, Any]:
    media, name = ("application/json", "AlpacaRefusal") if is_alpaca(path) else (MEDIA, "Problem")
    return {
        "description": "A refusal",
        "content": {media: {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }
