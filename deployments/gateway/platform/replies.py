"""How answers of the platform's routes are given: as models; those that are read get an ETag on their way out."""

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from deployments.gateway.middleware.tags import names, tag_of
from deployments.gateway.problems import MEDIA, GatewayError

JSON: Final = "application/json"


class Body(BaseModel):
    """What goes in or out: closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document refusals of a route, with those that every route has; `deployments.gateway.openapi` has their schema."""
    found = sorted({401, 403, 422, 429, 503, *statuses})
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in found}


class ChangedError(GatewayError):
    """Something that is not as its caller has seen it."""

    code = "changed"
    status = 412

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} has changed since the answer whose ETag If-Match names. Look again, then decide.")


def replied(body: BaseModel) -> Response:
    """Answer with a model to who reads it."""
    return Response(body.model_dump_json(), media_type=JSON)


def check_match(wanted: str | None, body: BaseModel, what: str) -> None:
    """Refuse with `ChangedError` where If-Match was sent and does not name a model as it is now."""
    # An answer that was compressed has a weak tag of the same model.
    if wanted is not None and not names(wanted, tag_of(body.model_dump_json().encode())):
        raise ChangedError(what)


def answered(body: BaseModel, status: int = 200) -> Response:
    """Answer what changed something, which no cache may keep."""
    return Response(body.model_dump_json(), status, media_type=JSON)


def changed(body: BaseModel) -> Response:
    """Answer what was changed with the ETag that it has now."""
    text = body.model_dump_json().encode()
    return Response(text, media_type=JSON, headers={"ETag": tag_of(text), "Cache-Control": "no-store"})
