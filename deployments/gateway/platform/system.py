"""`/system` and `/configuration`: what runs here, how it is, and by which settings."""

import asyncio
import platform as machine
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.observability.components import whole
from deployments.gateway.observability.health import Check, Component, Condition, examine, overall
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.project import NAME, project

PACKAGES: Final = ("ray", "fastapi", "numpy", "numba", "polars", "torch")


class ComponentView(Body):
    """How one component is."""

    condition: Condition
    detail: str


class ClusterView(Body):
    """The cluster."""

    connected: bool
    nodes_alive: int
    nodes: int
    cpus: float
    cpus_free: float
    gpus: float


class SystemView(Body):
    """What runs here and how it is."""

    name: str
    version: str
    python: str
    packages: dict[str, str]
    condition: Condition = Field(description="That of the worst component.")
    components: dict[str, ComponentView]
    cluster: ClusterView
    jobs: dict[str, int] = Field(description="Jobs by state; empty where their keeper does not answer.")


class ConfigurationView(Body):
    """Every setting in effect; secrets are masked."""

    settings: dict[str, Any]


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(tags=["system"])

    @routes.get("/system", response_model=SystemView, responses=problems(), summary="Versions, cluster, health")
    async def system(request: Request, principal: Annotated[Principal, needs(Scope.SYSTEM_READ)]) -> Response:
        counts: dict[str, int] = {}

        async def jobs() -> Component:
            counts.update(await platform.jobs.counts())
            return Component(Condition.UP)

        facts = await asyncio.to_thread(platform.cluster.facts)

        async def cluster() -> Component:
            return whole(facts)

        checks: dict[str, Check] = {**request.app.state.checks(), "cluster": cluster, "jobs": jobs}
        mine = [name for name in await platform.accounts.names() if principal.may(Scope.SYSTEM_READ, name)]
        checks |= {f"account/{name}": _account(platform, name) for name in mine}
        found = await examine(checks)
        return replied(
            SystemView(
                name=NAME,
                version=project().version,
                python=machine.python_version(),
                packages={name: version(name) for name in PACKAGES},
                condition=overall(found),
                components={n: ComponentView(condition=c.condition, detail=c.detail) for n, c in found.items()},
                cluster=ClusterView(
                    connected=facts.connected,
                    nodes_alive=facts.nodes_alive,
                    nodes=facts.nodes,
                    cpus=facts.cpus,
                    cpus_free=facts.cpus_free,
                    gpus=facts.gpus,
                ),
                jobs=counts,
            ),
        )

    @routes.get(
        "/configuration", response_model=ConfigurationView, responses=problems(), summary="Settings in effect, redacted"
    )
    async def configuration(_: Annotated[Principal, needs(Scope.CONFIG_READ)]) -> Response:
        return replied(ConfigurationView(settings=platform.settings.resolved()))

    return routes


def _account(platform: Platform, name: str) -> Any:
    async def check() -> Component:
        status = await platform.accounts.account(name).call("status")
        if status.is_fenced:
            return Component(Condition.DOWN, "Another copy has taken over its journal.")
        return Component(Condition.UP) if status.health.up else Component(Condition.DEGRADED, "Its venue is silent.")

    return check
