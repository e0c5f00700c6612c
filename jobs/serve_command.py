"""`nt-ray serve`: parts of the platform behind an HTTP door. They run until they are interrupted."""

import json
import signal
import threading
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.access_opening import first_key
from jobs.options import AsJson, Live, by_file_and, command_group, help_text

if TYPE_CHECKING:
    from types import FrameType

    from nt_ray.config import Settings

INFERENCE_HELP = help_text(
    "Forecast over HTTP with the models of the registry: Open Inference Protocol v2 at /v2, and /forecast. It listens "
    "on this machine alone by default, and asks nobody who they are. Ends at an interrupt.",
    "nt-ray serve inference",
    "nt-ray serve inference --port 9000 --set neural.inference.precision=bf16",
    "nt-ray serve inference --set 'neural.inference.preload=[\"lstm\"]' --json",
    "nt-ray serve inference --set neural.inference.throughput=true",
    'curl 127.0.0.1:8000/forecast -d \'{"model": "lstm", "target": [[1.0, 2.0, ...]], "levels": [0.1, 0.9]}\'',
)

GATEWAY_HELP = help_text(
    "Open the gateway: Alpaca's trading API at /v2 and its stream at /stream, the platform's own API at /api/v1, "
    "/health. The first start makes an admin and prints his key, once. It listens on this machine alone by default. "
    "Ends at an interrupt; accounts that it has started go on.",
    "nt-ray serve gateway",
    "nt-ray serve gateway --port 9000 --set gateway.accounts=paper --set gateway.symbols=AAPL,MSFT",
    "nt-ray serve gateway --live --set gateway.accounts=real",
    "nt-ray serve gateway --set gateway.throughput=true --json",
)

Host: TypeAlias = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.")]
Port: TypeAlias = Annotated[str | None, typer.Option(metavar="N", help="Port to listen on.")]

serve_app = command_group("Doors of the platform over HTTP.", "nt-ray serve gateway", "nt-ray serve inference")


@serve_app.command("inference", help=INFERENCE_HELP)
@by_file_and(host="neural.inference.host", port="neural.inference.port")
def inference(settings: "Settings", host: Host = None, port: Port = None, as_json: AsJson = False) -> None:
    """Serve forecasts until interrupted."""
    del host, port
    from actors.environment import check_guarded, prepare, prepare_throughput

    prepare(settings.ray.address)
    if settings.neural.inference.throughput:
        # Replicas are then asked over ports of their own.
        check_guarded()
        prepare_throughput(settings.ray.address, "neural.inference.throughput")
    from actors.cluster import connected
    from deployments.inference.application import check_free, start, stop

    check_free(settings.neural.inference.host, settings.neural.inference.port)
    ended = threading.Event()
    ray = settings.ray
    with connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb):
        address = start(settings.neural)
        _on_signals(ended)
        if as_json:
            typer.echo(json.dumps({"url": address, "registry": settings.neural.registry}))
        else:
            typer.echo(f"Models of {settings.neural.registry} answer at {address}/v2 and {address}/forecast.")
        ended.wait()
        stop()


@serve_app.command("gateway", help=GATEWAY_HELP)
@by_file_and(host="gateway.host", port="gateway.port")
def gateway(
    settings: "Settings", host: Host = None, port: Port = None, live: Live = False, as_json: AsJson = False
) -> None:
    """Serve the gateway until interrupted."""
    del host, port
    from actors.environment import check_guarded, prepare, prepare_throughput
    from nt_ray.trader.consent import check_consent

    for name in settings.gateway.accounts:
        check_consent(settings, name, live=live)
    prepare(settings.ray.address)
    check_guarded()
    if settings.gateway.throughput:
        prepare_throughput(settings.ray.address)
    from actors.cluster import connected
    from deployments.gateway.serving import everywhere, start, stop
    from deployments.inference.application import check_free

    check_free(settings.gateway.host, settings.gateway.port)
    settings = everywhere(settings)
    ended = threading.Event()
    ray = settings.ray
    with connected(ray.address, num_cpus=ray.num_cpus, object_store_mb=ray.object_store_mb):
        address = start(settings, live=live)
        # After all that may fail, since it is told once.
        key = first_key(settings)
        _on_signals(ended)
        if as_json:
            typer.echo(json.dumps({"url": address} | ({} if key is None else {"admin_key": key})))
        else:
            typer.echo(f"The gateway answers at {address}: /v2, /stream, /api/v1, /health, /openapi.json.")
            if key is not None:
                typer.echo(f"Key of the first admin, shown this once: {key}")
        ended.wait()
        stop()


def _on_signals(ended: threading.Event) -> None:
    def end(_: int, __: "FrameType | None") -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
