"""The gateway as Ray Serve runs it, built from settings.

serve deploy deployments/gateway/serve.yaml, or `nt-ray serve gateway`. A replica keeps nothing that another lacks;
one that ends is given no new requests, and has `gateway.drain_s` for those it serves.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from ray import serve
from ray.serve.config import HTTPOptions

from actors.live_account import start as start_account
from deployments.gateway.assembly import assemble
from deployments.inference import application as inference
from nt_ray.config import Settings, load_settings
from nt_ray.trader.live_plan import SettingsPlan

NAME: Final = "gateway"
HEALTH_EVERY_S: Final = 2.0
HEALTH_WITHIN_S: Final = 10.0


@serve.deployment
@serve.ingress()
class Gateway:
    """One replica."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Build the application of this replica."""
        return assemble(self._settings)


def build(arguments: Mapping[str, Any]) -> serve.Application:
    """Build the application from keys of the settings, as `serve run` and `serve deploy` hand them over."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in arguments.items()}
    return serve_application(load_settings(None, texts))


def serve_application(settings: Settings) -> serve.Application:
    """Build the application."""
    asked = settings.gateway
    deployment: Any = Gateway
    found: serve.Application = deployment.options(
        name=NAME,
        num_replicas=asked.replicas,
        max_ongoing_requests=asked.concurrency,
        graceful_shutdown_timeout_s=asked.drain_s,
        health_check_period_s=HEALTH_EVERY_S,
        health_check_timeout_s=HEALTH_WITHIN_S,
        # It waits for others nearly all of the time, and must start wherever there is a node.
        ray_actor_options={"num_cpus": 0},
    ).bind(everywhere(settings))
    return found


def start(settings: Settings) -> str:
    """Start accounts and gateway on the Ray this process is connected to, and return the address."""
    asked = settings.gateway
    inference.check_free(asked.host, asked.port)
    for name in asked.accounts:
        start_account(SettingsPlan(settings, name, asked.symbols, live=settings.live))
    serve.start(proxy_location="HeadOnly", http_options=HTTPOptions(host=asked.host, port=asked.port))
    serve.run(serve_application(settings), name=NAME, route_prefix="/")
    return f"http://{asked.host}:{asked.port}"


def stop() -> None:
    """End Serve, once what it was asked is answered; accounts go on."""
    serve.shutdown()  # type: ignore[no-untyped-call]


def everywhere(settings: Settings) -> Settings:
    """Name folders so that a replica finds them from wherever it was started."""
    access = settings.access.model_copy(update={"folder": settings.access.folder.absolute()})
    folders = {"runs": settings.runs.absolute(), "state": settings.state.absolute(), "access": access}
    return settings.model_copy(update={**folders, "neural": inference.everywhere(settings.neural)})
