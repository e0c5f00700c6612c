"""The environment that Ray reads when it is imported. It has to stand before that import; an operator's values win.

A Ray that is started here listens on loopback alone and gets a random token of its own, so nobody else on the machine
can drive it. A Ray that is joined decides itself: a token that lies ready is used.
"""

import atexit
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from nt_ray.errors import ServiceError

_DEFAULTS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Else whoever calls from this machine is believed whatever address he claims; `gateway.hops` says whom to believe.
    "FORWARDED_ALLOW_IPS": "",
}

_THROUGHPUT = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
}
_ON_ONE_MACHINE: Final = {
    # Seconds for which a replica that ends still answers; HAProxy beside it has left it long before.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "3",
    # Counting each request once more would take Python a good part of the time that HAProxy saves.
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
}
_HAPROXY: Final = "RAY_SERVE_HAPROXY_"
_HAPROXY_FILES: Final = {
    "CONFIG_FILE_LOC": "haproxy.cfg",
    "SOCKET_PATH": "admin.sock",
    "METRICS_SOCKET_PATH": "metrics.sock",
    "SERVER_STATE_BASE": "",
    "SERVER_STATE_FILE": "server-state",
}

_chosen: set[str] = set()
"""Names set here, which a later call may set otherwise; an operator's own are never touched."""


def prepare(address: str | None = None) -> None:
    """Set what is not set, for joining `address` or `RAY_ADDRESS`, else for a Ray of one's own.

    Does nothing once Ray is imported: it would no longer be read.
    """
    if "ray" in sys.modules:
        return
    for name in _chosen:
        os.environ.pop(name, None)
    _chosen.clear()
    for name, value in _DEFAULTS.items():
        _choose(name, value)
    joins = bool(address or os.environ.get("RAY_ADDRESS"))
    if not joins:
        # Named for the systems where it is the default: all ports of Ray are on loopback, not on every interface.
        _choose("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if "RAY_AUTH_MODE" in os.environ:
        return
    if joins:
        _choose("RAY_AUTH_MODE", "token" if _token_at_hand() else "disabled")
        return
    _choose("RAY_AUTH_MODE", "token")
    _choose("RAY_AUTH_TOKEN", secrets.token_hex(32))


def check_guarded() -> None:
    """Raise `ServiceError` where Ray is not used with token authentication: its ports then run anybody's code.

    A replica of Serve takes pickled calls on every interface, and the token is all that keeps strangers from them.
    """
    if os.environ.get("RAY_AUTH_MODE") != "token":
        raise ServiceError(
            "Ray has no token authentication here, so whoever reaches its ports runs code on it. Start it with a "
            "token, give this command the same one in ~/.ray/auth_token or RAY_AUTH_TOKEN, and set RAY_AUTH_MODE=token."
        )


def prepare_throughput(address: str | None = None, key: str = "gateway.throughput") -> None:
    """Let Ray Serve take requests through HAProxy and answer them in a replica's own thread; before Ray is imported.

    `key` is the setting that asks for it. A Ray that is joined, at `address` or `RAY_ADDRESS`, does so where its nodes
    were started so; who joins one has to have the same variables set, else `ServiceError`.
    """
    joins = address or os.environ.get("RAY_ADDRESS")
    missing = [f"{name}={value}" for name, value in _THROUGHPUT.items() if os.environ.get(name) != value]
    if joins and missing:
        raise ServiceError(
            f"{key} cannot change the Ray at {joins!r}, whose nodes read it when they start. Start them "
            f"and this command with {' '.join(missing)}, or unset {key}."
        )
    if not joins:
        for name, value in (_THROUGHPUT | _ON_ONE_MACHINE).items():
            _choose(name, value)
        _keep_private()


def _keep_private() -> None:
    """Give HAProxy a folder of its own: whoever reaches its socket commands it, and Serve lets everybody reach it."""
    folder = Path(tempfile.mkdtemp(prefix="nt-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, file in _HAPROXY_FILES.items():
        _choose(_HAPROXY + name, str(folder / file))


def _choose(name: str, value: str) -> None:
    if name not in os.environ:
        os.environ[name] = value
        _chosen.add(name)


def _token_at_hand() -> bool:
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return True
    return (Path.home() / ".ray" / "auth_token").exists()
