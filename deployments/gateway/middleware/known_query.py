"""Names in the query of a request: one that a route does not know is refused, as an unknown field of a body is.

`cancel_order=true` for `cancel_orders=true` would else be passed over without a word. Reads of Alpaca's paths alone
pass with names that are not known, since its clients send all that Alpaca has.
"""

from collections.abc import Iterator
from typing import Final

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from deployments.gateway.problems import GatewayError

_ALPACA: Final = "/v2/"
_SHOWN: Final = 64
"""Characters of a name that are repeated."""


class UnknownParameterError(GatewayError):
    """A name in the query that the route does not know."""

    code = "unknown_parameter"
    status = 422

    def __init__(self, name: str, known: frozenset[str]) -> None:
        takes = f"It takes {', '.join(sorted(known))}" if known else "It takes none"
        super().__init__(f"This address knows no parameter {name[:_SHOWN]!r}. {takes}.")


async def check_query(request: Request) -> None:
    """Raise `UnknownParameterError` where the query has a name that the route does not know."""
    if not request.scope["query_string"]:
        return
    route = request.scope["route"]
    if request.method == "GET" and route.path.startswith(_ALPACA):
        return
    known = frozenset(_names(route.dependant))
    for name in request.query_params:
        if name not in known:
            raise UnknownParameterError(name, known)


KNOWN_QUERY: Final = Depends(check_query)
"""Dependency of a router."""


def _names(asked: Dependant) -> Iterator[str]:
    """Names that a route, and what it depends on, reads from the query."""
    for field in asked.query_params:
        shape = field.field_info.annotation
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            yield from (one.alias or name for name, one in shape.model_fields.items())
        else:
            yield field.alias
    for part in asked.dependencies:
        yield from _names(part)
