"""`/dashboard/sessions`: the strategies that trade live accounts by themselves, and what each decided last."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.paging import Cursor, Limit, Next, page_of
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.platform.strategies import SessionView
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.trader.session_keeper import plain_status


class SessionList(Body):
    """Live sessions that are not over, in the accounts that are one's own, in the order in which they were begun."""

    sessions: list[SessionView]
    next: Next


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/dashboard", tags=["dashboard"])

    @routes.get("/sessions", response_model=SessionList, responses=problems(), summary="Watch live sessions")
    async def listed(
        principal: Annotated[Principal, needs(Scope.STRATEGIES_READ)], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        found = [SessionView(**plain_status(told)) for told in await platform.sessions.statuses("")]
        own = [view for view in found if principal.may(Scope.STRATEGIES_READ, view.account)]
        page, more = page_of("sessions", own, lambda view: f"{view.started} {view.session}", cursor, limit)
        return replied(SessionList(sessions=page, next=more))

    return routes
