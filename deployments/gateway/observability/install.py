"""Puts observability around an application, before it serves its first request."""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.middleware import Middleware

from deployments.gateway.backend.accounts import Accounts
from deployments.gateway.middleware.envelope import Envelope
from deployments.gateway.observability.logs import LogTail, configure
from deployments.gateway.observability.metrics import Metrics
from deployments.gateway.observability.observer import Observer
from deployments.gateway.observability.routes import router
from deployments.gateway.observability.sources import Asked
from deployments.gateway.observability.tracing import Tracing, open_tracing
from nt_ray.config.observability import Observability


@dataclass(frozen=True, slots=True)
class Observation:
    """What watches one replica; to be closed when it ends."""

    metrics: Metrics
    tracing: Tracing
    tail: LogTail

    def close(self) -> None:
        """Send what is left of the traces."""
        self.tracing.close()


def install(app: FastAPI, settings: Observability, accounts: Accounts, tracing: Tracing | None = None) -> Observation:
    """Add routes, logs and the layer that watches; a tracing that is given takes the place of the settings'."""
    found = Observation(Metrics(), tracing or open_tracing(settings), configure(settings))
    app.state.observation = found
    app.include_router(router(found.metrics, Asked(accounts), found.tail, settings.metrics))
    watching = Middleware(
        Observer, metrics=found.metrics, tracing=found.tracing, log_requests=settings.log_requests
    )  # fmt: skip
    # Within the envelope, which has given the request its id, and around all else.
    layers: list[object] = [layer.cls for layer in app.user_middleware]
    place = layers.index(Envelope) + 1 if Envelope in layers else 0
    app.user_middleware.insert(place, watching)
    return found
