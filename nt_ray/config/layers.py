"""Where settings are written: a TOML file, the environment, the command line. Each is read into one layer."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nt_ray.config.keys import KeyPath, find_key, known_keys
from nt_ray.config.venues import BUILT_IN
from nt_ray.errors import ConfigError

PREFIX = "NT_"
DELIMITER = "__"


@dataclass(frozen=True, slots=True)
class Layer:
    """Values from one place, and how to name the place of a key."""

    values: Mapping[str, Any]
    where: Callable[[KeyPath], str]


def file_layer(path: Path) -> Layer:
    """Read a TOML file; raises `ConfigError` where it is missing, unreadable or malformed."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"There is no settings file {path}. Give the path of a TOML file.") from None
    except OSError as error:
        raise ConfigError(f"Settings file {path} cannot be read: {error.strerror}. Give a TOML file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"Settings file {path} is not UTF-8 text at byte {error.start}. Save it as UTF-8.") from error
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # malformed, an endless number, or nested without end
        raise ConfigError(f"Settings file {path} is not valid TOML: {error}. Correct it there.") from error
    return Layer(values, lambda _: f"in {path}")


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """Read the `NT_` names of an environment; raises `ConfigError` on any that names no setting."""
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for name in sorted(n for n in environ if n.startswith(PREFIX)):
        path = _path_of(name)
        if find_key(path) is None:
            unknown.append(name)
        else:
            put(values, path, environ[name])
    if unknown:
        raise ConfigError("\n".join(_unknown_name(name) for name in unknown))
    return Layer(values, lambda path: f"environment {name_of(path)}")


def override_layer(overrides: Mapping[str, Any]) -> Layer:
    """Read overrides, written as nested tables or with dotted keys."""
    values: dict[str, Any] = {}
    for dotted, value in overrides.items():
        put(values, tuple(dotted.split(".")), value)
    return Layer(values, lambda _: "on the command line")


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; a later one wins, key by key."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping):
                result[key] = merged(old, value)
            else:
                result[key] = value
    return result


def put(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Set a value deep in nested tables, making the tables on the way."""
    for name in path[:-1]:
        inner = values.get(name)
        values[name] = inner = dict(inner) if isinstance(inner, Mapping) else {}
        values = inner
    values.update(merged(values, {path[-1]: value}))


def name_of(path: KeyPath) -> str:
    """`NT_` name of a key."""
    return PREFIX + DELIMITER.join(path).upper().replace("-", "_")


def _path_of(name: str) -> KeyPath:
    """Key path of an `NT_` name; a venue's hyphens are written as underscores, since shells allow none."""
    path = name.removeprefix(PREFIX).lower().split(DELIMITER)
    if path[0] == "brokers" and len(path) == 3:
        path[1] = path[1].replace("_", "-")
    return tuple(path)


def _unknown_name(name: str) -> str:
    path = _path_of(name)
    venue = path[1] if path[0] == "brokers" and len(path) == 3 else next(iter(BUILT_IN))
    known = [name_of(k.path).replace("NAME", name_of((venue,)).removeprefix(PREFIX)) for k in known_keys()]
    text = f"Unknown environment variable {name}."
    section = next((n for n in known if n.startswith(name + DELIMITER)), None)
    if section is not None:
        return f"{text} It names a section; set its keys, such as {section}."
    if near := get_close_matches(name, known, n=1, cutoff=0.7):
        return f"{text} Did you mean {near[0]}?"
    return f"{text} Unset it, or take a name from docs/configuration.md."
