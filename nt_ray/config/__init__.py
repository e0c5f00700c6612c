"""Settings: one frozen tree, read from the command line, the environment and a TOML file.

Owns every key, its default, its range and its meaning. Guarantees that an unknown key or `NT_` name, at any
depth, is an error that names the nearest known one, and that nothing is read before `load_settings` is
called. Knows nothing of what the settings are used for.
"""

from nt_ray.config.access import Access
from nt_ray.config.gateway import Gateway
from nt_ray.config.load import load_settings
from nt_ray.config.observability import Observability
from nt_ray.config.sections import AccountSettings, Data, Portfolio, Ray, Risk, Strategies, Swarm
from nt_ray.config.settings import Settings, to_toml
from nt_ray.config.venues import Brokers, Venue

__all__ = [
    "Access",
    "AccountSettings",
    "Brokers",
    "Data",
    "Gateway",
    "Observability",
    "Portfolio",
    "Ray",
    "Risk",
    "Settings",
    "Strategies",
    "Swarm",
    "Venue",
    "load_settings",
    "to_toml",
]
