"""How answers of the platform's routes are given: as models, with an ETag, and once under an idempotency key."""

import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from deployments.gateway.backend.jobs import Jobs
from deployments.gateway.problems import MEDIA, GatewayError
from nt_ray.access.roles import Principal
from nt_ray.trader.jobs.answers import Answer

JSON: Final = "application/json"

IdempotencyKey: TypeAlias = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[A-Za-z0-9._:-]{1,128}$",
        description="The same request under the same key is done once and has the same answer, for a day.",
        examples=["3f0c2a4e-order-7"],
    ),
]


class Body(BaseModel):
    """What goes in or out: closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NotAvailableError(GatewayError):
    """Something that is meant to be there one day, and is not."""

    code = "not_available"
    status = 501

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what} is not available. {instead}")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document refusals of a route, with those that every route has; `deployments.gateway.openapi` has their schema."""
    found = sorted({401, 403, 422, 429, 503, *statuses})
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in found}


def replied(request: Request, body: BaseModel) -> Response:
    """Answer with a model and its ETag, or 304 where the caller has it already."""
    text = body.model_dump_json().encode()
    etag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type=JSON, headers=headers)


async def done_once(
    jobs: Jobs,
    request: Request,
    principal: Principal,
    key: str | None,
    work: Callable[[], Awaitable[BaseModel]],
    status: int = 200,
) -> Response:
    """Do what a POST asks for, once under its key; a repeated request gets the answer of the first."""
    if key is None:
        return Response((await work()).model_dump_json(), status, media_type=JSON)
    operation = f"{request.method} {request.url.path}"
    digest = hashlib.sha256(await request.body()).hexdigest()
    stored = await jobs.claim(principal.id, operation, key, digest)
    if stored is not None:
        return Response(stored.body, stored.status, {"Idempotent-Replayed": "true"}, JSON)
    answer: Answer | None = None
    try:
        answer = Answer(status, (await work()).model_dump_json())
    finally:
        if answer is None:
            # A refusal, or a caller who hung up: the same request may be made again.
            await jobs.release(principal.id, operation, key)
        else:
            await jobs.keep(principal.id, operation, key, answer)
    return Response(answer.body, answer.status, media_type=JSON)
