"""Loading settings: command line over environment over TOML file over defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from nt_ray.config.layers import environment_layer, file_layer, merged, override_layer
from nt_ray.config.problems import describe
from nt_ray.config.settings import Settings
from nt_ray.errors import ConfigError

DEFAULT_FILE = Path("config.toml")

NO_OVERRIDES: Mapping[str, Any] = MappingProxyType({})


def load_settings(
    path: Path | None = None,
    overrides: Mapping[str, Any] = NO_OVERRIDES,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read settings from their sources; raises `ConfigError` that names every problem and its remedy.

    `path` None reads ./config.toml where there is one. `overrides` are nested tables or dotted keys
    (`{"swarm.hosts": 2}`); a text is read as on the command line. `environ` None is the process environment.
    """
    layers = [override_layer(overrides), environment_layer(os.environ if environ is None else environ)]
    if path is not None or DEFAULT_FILE.exists():
        layers.append(file_layer(path or DEFAULT_FILE))
    values = merged(*(layer.values for layer in reversed(layers)))
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigError(describe(error, layers)) from error
