"""Writing settings as TOML 1.0. `tomllib` reads; the standard library has no writer.

Exact: a Decimal is written digit by digit, and reading with `parse_float=Decimal` gives it back.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(values: Mapping[str, Any]) -> str:
    """Write a tree of mappings as TOML: keys, then a table for each nested mapping; None and secrets are left out."""
    return "\n".join(_table(values, ())) + "\n"


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    leaves = {k: v for k, v in values.items() if v is not None and not isinstance(v, Mapping | SecretStr)}
    lines = [f"{_key(k)} = {toml_value(v)}" for k, v in leaves.items()]
    if path and (lines or not values):
        lines = ["", f"[{'.'.join(_key(p) for p in path)}]", *lines]
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _table(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def toml_value(value: Any) -> str:
    """Write one value; what TOML has no type for is written as its text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        if value.is_nan():
            return "nan"
        return f"{value:f}" if value.is_finite() else str(float(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(v) for v in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(k)} = {toml_value(v)}' for k, v in value.items())}}}"
    return _string(str(value))


def _string(text: str) -> str:
    """Write a basic string; JSON's escapes are TOML's, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
