"""Checks of what a run touches: the Ray cluster, the market data and the folder of runs."""

import socket
import tempfile
from collections.abc import Mapping
from urllib.parse import urlsplit

from nt_ray.config import Settings
from nt_ray.doctor.check import Check, fail, ok
from nt_ray.doctor.machine import existing_parent
from nt_ray.errors import MarketDataError
from nt_ray.market.source import load_panel

CONNECT_TIMEOUT_S = 3.0

PORTS = {"6379": "GCS", "8265": "dashboard"}
"""Ports a Ray head takes by default. A local Ray of ours takes free ones, so a taken port is no fault."""

_LOCAL = frozenset({"auto", "local"})


def check_surroundings(settings: Settings, environ: Mapping[str, str]) -> list[Check]:
    """Check Ray, the data and the folder of runs."""
    return [check_ray(settings, environ), check_data(settings), check_runs(settings)]


def check_ray(settings: Settings, environ: Mapping[str, str]) -> Check:
    """Check that the cluster can be reached, or that a local Ray can be started."""
    address = settings.ray.address or environ.get("RAY_ADDRESS") or ""
    if not address or address in _LOCAL:
        taken = [f"{port} ({role})" for port, role in PORTS.items() if _listens("127.0.0.1", int(port))]
        ports = f"taken here: {', '.join(taken)}" if taken else "no Ray head on this machine"
        return ok("ray", f"a local one is started for each run; {ports}.")
    host, port = _endpoint(address)
    if not host or port is None:
        return fail("ray", f"address {address!r} has no host:port.", "Write it like 10.0.0.5:6379.")
    if _listens(host, port):
        return ok("ray", f"{address} accepts connections.")
    return fail(
        "ray",
        f"{address} accepts no connection within {CONNECT_TIMEOUT_S:g} s.",
        "Start the cluster (`ray up cluster.yaml`), or unset RAY_ADDRESS and ray.address to run locally.",
    )


def check_data(settings: Settings) -> Check:
    """Load the data that a run would trade."""
    data = settings.data
    try:
        panel = load_panel(
            data.source,
            symbols=data.symbols or None,
            timezone=data.timezone,
            adjust=data.adjust,
            missing=data.missing,
        )
    except MarketDataError as error:
        return fail("data", str(error), "")
    first, last = panel.time(0), panel.time(-1)
    count = len(panel.symbols)
    return ok("data", f"{data.source}: {len(panel)} bars of {count} symbols, {first:%Y-%m-%d} to {last:%Y-%m-%d}.")


def check_runs(settings: Settings) -> Check:
    """Check that a run's folder can be made."""
    place = existing_parent(settings.runs)
    try:
        with tempfile.TemporaryFile(dir=place):
            return ok("runs", f"{settings.runs} can be written.")
    except OSError as error:
        return fail("runs", f"{place} cannot be written ({error.strerror}).", "Give another folder with --runs.")


def _endpoint(address: str) -> tuple[str | None, int | None]:
    """Host and port of `host:port` or `ray://host:port`."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname, port


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False
