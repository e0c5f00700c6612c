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


def prepare(address: str | None = None) -> None:
    """Set what is not set, for joining `address` or `RAY_ADDRESS`, else for a Ray of one's own.

    Does nothing once Ray is imported: it would no longer be read.
    """
    if "ray" in sys.modules:
        return
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "RAY_AUTH_MODE" in os.environ:
        return
    if address or os.environ.get("RAY_ADDRESS"):
        os.environ["RAY_AUTH_MODE"] = "token" if _token_at_hand() else "disabled"
        return
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _token_at_hand() -> bool:
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return True
    return (Path.home() / ".ray" / "auth_token").exists()
