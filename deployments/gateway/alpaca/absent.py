"""Parts of Alpaca's interface that have no meaning here: each is refused by name, nothing is made up."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from deployments.gateway.alpaca.refusals import NotHereError
from deployments.gateway.security import needs
from nt_ray.access.roles import Scope

_READS = [needs(Scope.TRADING_READ)]
_WRITES = [needs(Scope.TRADING_WRITE)]


def router() -> APIRouter:
    """Routes of /v2 that answer with a refusal."""
    routes = APIRouter(prefix="/v2", tags=["not available"])

    @routes.get("/options/contracts", summary="Options are not traded", dependencies=_READS)
    async def contracts() -> Response:
        """Refuse."""
        raise _refusal("Options are not traded")

    @routes.get("/options/contracts/{contract}", summary="Options are not traded", dependencies=_READS)
    async def contract(contract: Annotated[str, Path(max_length=64)]) -> Response:
        """Refuse."""
        del contract
        raise _refusal("Options are not traded")

    @routes.post("/positions/{contract}/exercise", summary="Options are not traded", dependencies=_WRITES)
    async def exercise(contract: Annotated[str, Path(max_length=64)]) -> Response:
        """Refuse."""
        del contract
        raise _refusal("Options are not traded")

    @routes.get("/corporate_actions/announcements", summary="There are no announcements", dependencies=_READS)
    async def announcements() -> Response:
        """Refuse."""
        raise _refusal("Corporate actions are not announced")

    @routes.get(
        "/corporate_actions/announcements/{announcement}", summary="There are no announcements", dependencies=_READS
    )
    async def announcement(announcement: Annotated[str, Path(max_length=64)]) -> Response:
        """Refuse."""
        del announcement
        raise _refusal("Corporate actions are not announced")

    @routes.get("/wallets", summary="There are no wallets", dependencies=_READS)
    async def wallets() -> Response:
        """Refuse."""
        raise _refusal("There are no wallets of crypto currency")

    return routes


def _refusal(what: str) -> NotHereError:
    return NotHereError(f"{what} here. Use the venue itself for that.")
