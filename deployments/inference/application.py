"""The application as Ray Serve runs it, built from settings.

serve run deployments.inference.application:build neural.registry=models neural.inference.precision=bf16
"""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ray import serve
from ray.serve.config import AutoscalingConfig, HTTPOptions

from actors.cluster import require_gpus
from deployments.inference.ingress import Inference
from deployments.replica import LOGGING
from nt_ray.config import load_settings
from nt_ray.config.sections import Neural
from nt_ray.errors import ServiceError

NAME: Final = "inference"
DRAIN_S: Final = 5.0
REACH_S: Final = 0.3


def build(arguments: Mapping[str, Any]) -> serve.Application:
    """Build the application from keys of the settings, as `serve run` and `serve deploy` hand them over."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in arguments.items()}
    return application(load_settings(None, texts).neural)


def application(settings: Neural) -> serve.Application:
    """Build the application."""
    asked = settings.inference
    scaled = asked.most_replicas > asked.replicas
    options: dict[str, Any] = {
        # Whoever may share a pass has to be let in, or passes stay small.
        "max_ongoing_requests": asked.largest_batch * asked.threads,
        "max_queued_requests": asked.queue,
        "graceful_shutdown_timeout_s": DRAIN_S,
        "logging_config": LOGGING,
        "ray_actor_options": {"num_cpus": asked.threads, "num_gpus": asked.gpus},
    }
    if scaled:
        options["autoscaling_config"] = AutoscalingConfig(
            min_replicas=asked.replicas,
            max_replicas=asked.most_replicas,
            target_ongoing_requests=asked.target_requests,
        )
    else:
        options["num_replicas"] = asked.replicas
    deployment: Any = Inference
    found: serve.Application = deployment.options(name=NAME, **options).bind(everywhere(settings))
    return found


def start(settings: Neural) -> str:
    """Start the application on the Ray this process is connected to, and return its address."""
    asked = settings.inference
    check_free(asked.host, asked.port)
    require_gpus(asked.gpus * asked.replicas, "Set neural.inference.gpus = 0 or fewer replicas, or add a node.")
    serve.start(proxy_location="HeadOnly", http_options=HTTPOptions(host=asked.host, port=asked.port))
    serve.run(application(settings), name=NAME, route_prefix="/")
    return f"http://{asked.host}:{asked.port}"


def stop() -> None:
    """End Serve, once what it was asked is answered."""
    serve.shutdown()  # type: ignore[no-untyped-call]


def everywhere(settings: Neural) -> Neural:
    """Name folders so that a replica finds them from wherever it was started."""
    registry = settings.registry
    whole = registry if "://" in registry else str(Path(registry).expanduser().absolute())
    return settings.model_copy(update={"registry": whole, "cache": settings.cache.absolute()})


def check_free(host: str, port: int) -> None:
    """Refuse an address at which something listens: Serve would share it without a word."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as room:
        room.settimeout(REACH_S)
        if room.connect_ex((host, port)) == 0:
            raise ServiceError(f"Something listens at {host}:{port} already. Stop it, or set another port.")
