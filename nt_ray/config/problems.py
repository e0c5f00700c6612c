"""From what pydantic found wrong to sentences a person can act on.

Each problem becomes one sentence that names key, value and where it was written, and one that names the
remedy.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nt_ray.config.keys import KeyPath, find_key, known_keys, nearest
from nt_ray.config.layers import Layer
from nt_ray.config.settings import Settings
from nt_ray.config.toml_text import toml_value

_UNKNOWN = "extra_forbidden"
_SECTION_TYPES = frozenset({"model_type", "model_attributes_type", "dict_type"})


def describe(error: ValidationError, layers: Sequence[Layer]) -> str:
    """Sentences for everything that is wrong, one line for each problem. `layers` come strongest first."""
    lines: list[str] = []
    for problem in error.errors(include_url=False):
        line = _describe_one(problem, layers)
        if line not in lines:
            lines.append(line)
    return "\n".join(lines)


def unknown_key(path: KeyPath, where: str) -> str:
    """Sentences for a key that does not exist."""
    text = f"Unknown key {'.'.join(path)} {where}."
    if (near := nearest(path)) is not None:
        return f"{text} Did you mean {near}?"
    return f"{text} Known there: {', '.join(_siblings(path))}."


def _describe_one(problem: ErrorDetails, layers: Sequence[Layer]) -> str:
    path = tuple(str(p) for p in problem["loc"])
    key = _key_path(path)
    value, where = _written(key, problem["input"], layers)
    if problem["type"] == _UNKNOWN or (
        path[:1] == ("brokers",) and problem["type"] in _SECTION_TYPES and len(path) == 2
    ):
        return unknown_key(path, where)
    known = find_key(key)
    if known is not None:
        return f"{known.dotted} = {_shown(value)} ({where}) cannot be used. Give {known.accepts}."
    if problem["type"] in _SECTION_TYPES:
        name = ".".join(path)
        return f"{name} = {_shown(value)} ({where}) is not a table. Write [{name}] and its keys below it."
    return str(problem["msg"]).removeprefix("Value error, ")


def _key_path(path: KeyPath) -> KeyPath:
    """Longest beginning of a path that is a setting; the rest points inside its value."""
    for length in range(len(path), 0, -1):
        if find_key(path[:length]) is not None and not (length > 2 and path[:2] == ("strategies", "variants")):
            return path[:length]
    return path


def _written(path: KeyPath, fallback: Any, layers: Sequence[Layer]) -> tuple[Any, str]:
    """Value as it was written, and where."""
    for layer in layers:
        value: Any = layer.values
        for name in path:
            value = value.get(name, layer) if isinstance(value, Mapping) else layer
        if value is not layer:
            return value, layer.where(path)
    return fallback, "default"


def _shown(value: Any) -> str:
    text = toml_value(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _siblings(path: KeyPath) -> list[str]:
    depth = len(path) - 1
    names = dict.fromkeys(k.path[depth] for k in known_keys() if k.path[:depth] == path[:depth] and len(k.path) > depth)
    return list(names) or list(Settings.model_fields)
