"""The gateway as Ray Serve runs it, built from settings.

serve deploy deployments/gateway/serve.yaml, or `nt-ray serve gateway`. Replicas stand on the node whose folders they
share: that of the command, or the head where Serve deploys. One that ends is given no new requests, and has
`gateway.drain_s` for those it serves.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

import ray
from ray import serve
from ray.serve.config import HTTPOptions

from actors import counts, live_pool, live_sessions
from actors.cluster import HEAD, HELD, connect, held_here
from actors.environment import check_guarded
from actors.live_account import start_free as start_account
from deployments.gateway.assembly import assemble
from deployments.inference import application as inference
from deployments.replica import LOGGING, Unlisted
from nt_ray.access.first_admin import leave_first_key
from nt_ray.config import Settings, load_settings
from nt_ray.errors import ConfigError
from nt_ray.trader.consent import check_consent
from nt_ray.trader.live_plan import SettingsPlan

NAME: Final = "gateway"
HEALTH_EVERY_S: Final = 2.0
HEALTH_WITHIN_S: Final = 10.0
DRAIN_EVERY_S: Final = 0.5
"""How often a replica that ends looks whether all its requests are answered."""
SURGE_PERCENT: Final = 50
"""Replicas above their number while new ones take the place of old ones."""

_log = logging.getLogger(__name__)


@serve.deployment
@serve.ingress()
class Gateway:
    """One replica."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __serve_build_asgi_app__(self) -> Unlisted:
        """Build the application of this replica."""
        return Unlisted(assemble(self._settings))


def build(arguments: Mapping[str, Any]) -> serve.Application:
    """Build the application from keys of the settings, as `serve run` and `serve deploy` hand them over.

    What the gateway stands on is started first, on the head, where `serve deploy` keeps its folders. `live` among the
    keys is the consent of the call to real money; that of the settings comes from the nodes.
    """
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in arguments.items()}
    live = _consent(texts.pop("live", "false"))
    settings = load_settings(None, texts)
    check_guarded()
    # `serve run` builds before it joins Ray.
    connect(settings.ray.address, num_cpus=settings.ray.num_cpus, object_store_mb=settings.ray.object_store_mb)
    whole, held = ray.get(_on_head.remote(settings, live))
    return serve_application(whole, held)


@ray.remote(num_cpus=0, resources={HEAD: HELD})
def _on_head(settings: Settings, live: bool) -> tuple[Settings, dict[str, float]]:
    """Start what the gateway stands on; give the settings as they hold there, and what holds replicas there."""
    whole = everywhere(settings)
    begin(whole, live=live)
    left = leave_first_key(whole.access, "the gateway at its first start")
    if left is not None:
        _log.warning("The key of the first admin lies in %s. Take it, and remove the file.", left)
    return whole, held_here()


def _consent(text: str) -> bool:
    if text not in ("true", "false"):
        raise ConfigError(f"live: {text} is no consent. Write live: true, or leave it out.")
    return text == "true"


def serve_application(settings: Settings, held: Mapping[str, float]) -> serve.Application:
    """Build the application, whose replicas are held on a node by these resources."""
    asked = settings.gateway
    deployment: Any = Gateway
    found: serve.Application = deployment.options(
        name=NAME,
        num_replicas=asked.replicas,
        max_ongoing_requests=asked.concurrency,
        graceful_shutdown_timeout_s=asked.drain_s,
        graceful_shutdown_wait_loop_s=DRAIN_EVERY_S,
        # A new replica answers before an old one goes: else the only one of a gateway would leave a gap.
        max_surge_percent=SURGE_PERCENT,
        logging_config=LOGGING,
        health_check_period_s=HEALTH_EVERY_S,
        health_check_timeout_s=HEALTH_WITHIN_S,
        # It waits for others nearly all of the time, so it needs no CPU.
        ray_actor_options={"num_cpus": 0, "resources": dict(held)},
    ).bind(everywhere(settings))
    return found


def begin(settings: Settings, *, live: bool = False) -> None:
    """Start what the gateway stands on, wherever it is started from: accounts, sessions that trade them, counts.

    `live` is the second consent to real money; an account that lacks one is refused before any has started.
    """
    check_guarded()
    accounts = settings.gateway.accounts
    for name in accounts:
        check_consent(settings, name, live=live)
    for name in accounts:
        start_account(SettingsPlan(settings, name, settings.gateway.symbols, live=live))
    live_pool.start_over_several(settings)
    live_sessions.resume(settings)
    counts.start()


def start(settings: Settings, *, live: bool = False) -> str:
    """Start accounts, sessions that trade them and the gateway on this process' Ray; return the address."""
    asked = settings.gateway
    inference.check_free(asked.host, asked.port)
    begin(settings, live=live)
    http = HTTPOptions(host=asked.host, port=asked.port)
    serve.start(proxy_location="HeadOnly", http_options=http, logging_config=LOGGING)
    deploy(settings)
    return f"http://{asked.host}:{asked.port}"


def deploy(settings: Settings) -> None:
    """Put replicas of these settings in the place of those that run; none goes before a new one answers."""
    serve.run(serve_application(settings, held_here()), name=NAME, route_prefix="/")


def stop() -> None:
    """End Serve, once what it was asked is answered; accounts go on."""
    serve.shutdown()  # type: ignore[no-untyped-call]
    counts.stop()


def everywhere(settings: Settings) -> Settings:
    """Name folders so that a replica finds them from wherever it was started."""
    access = settings.access.model_copy(update={"folder": settings.access.folder.absolute()})
    folders = {"runs": settings.runs.absolute(), "state": settings.state.absolute(), "access": access}
    return settings.model_copy(update={**folders, "neural": inference.everywhere(settings.neural)})
