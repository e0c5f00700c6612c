"""The environment that Ray reads when it is imported. It has to stand before that import; an operator's values win.

A Ray that is started here gets a random token of its own, so nobody else on the machine can drive it. A Ray that is
joined decides itself: a token that lies ready is used.
"""

import os
import secrets
import sys
from pathlib import Path

_DEFAULTS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

_THROUGHPUT = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
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
    if "RAY_AUTH_MODE" in os.environ:
        return
    if address or os.environ.get("RAY_ADDRESS"):
        _choose("RAY_AUTH_MODE", "token" if _token_at_hand() else "disabled")
        return
    _choose("RAY_AUTH_MODE", "token")
    _choose("RAY_AUTH_TOKEN", secrets.token_hex(32))


def prepare_throughput() -> None:
    """Let Ray Serve take requests through HAProxy and answer them in a replica's own thread; before Ray is imported."""
    for name, value in _THROUGHPUT.items():
        _choose(name, value)


def _choose(name: str, value: str) -> None:
    if name not in os.environ:
        os.environ[name] = value
        _chosen.add(name)


def _token_at_hand() -> bool:
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return True
    return (Path.home() / ".ray" / "auth_token").exists()
