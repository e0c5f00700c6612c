"""Puts observability around an application, before it serves its first request."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.middleware import Middleware

from actors.counts import Told
from actors.logs import LogTail, configure
from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.middleware.envelope import Envelope
from deployments.gateway.observability.metrics import Metrics
from deployments.gateway.observability.observer import Observer
from deployments.gateway.observability.routes import router
from deployments.gateway.observability.sharing import Sharing
from deployments.gateway.observability.sources import Asked
from deployments.gateway.observability.tracing import Tracing, open_tracing
from deployments.gateway.observability.work import Keepers
from nt_ray.config.observability import Observability


@dataclass(frozen=True, slots=True)
class Observation:
    """What watches one replica; to be closed when it ends."""

    metrics: Metrics
    tracing: Tracing
    tail: LogTail
    sharing: Sharing

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Share counts while the block runs; then send what is left of counts and traces."""
        async with self.sharing.running():
            yield
        # A collector that is away is waited for, and others are answered meanwhile.
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Send what is left of the traces."""
        self.tracing.close()


def install(
    app: FastAPI,
    settings: Observability,
    accounts: Accounts,
    tracing: Tracing | None = None,
    expected: Iterable[str] = (),
    keepers: Keepers | None = None,
) -> Observation:
    """Add routes, logs and the layer that watches.

    A tracing that is given takes the place of the settings'; `expected` are accounts that should run.
    """
    metrics, asked = Metrics(), Asked(accounts, expected, keepers)

    async def counted(replica: str, node: str) -> Told:
        return metrics.told(replica, node, await asked.gpus.get())

    found = Observation(metrics, tracing or open_tracing(settings), configure(settings), Sharing(counted))
    app.state.observation = found
    app.include_router(router(found.sharing, asked, found.tail, settings.metrics))
    watching = Middleware(
        Observer,
        metrics=found.metrics,
        tracing=found.tracing,
        log_requests=settings.log_requests,
        slow_s=settings.slow_s,
    )
    # Within the envelope, which has given the request its id, and around all else.
    layers: list[object] = [layer.cls for layer in app.user_middleware]
    place = layers.index(Envelope) + 1 if Envelope in layers else 0
    app.user_middleware.insert(place, watching)
    return found
