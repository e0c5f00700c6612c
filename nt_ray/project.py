"""What this project is: its name, version and requirements, installed or run from a checkout.

A checkout that is not installed (as on a node that got the working directory alone) is read from its
`pyproject.toml`.
"""

import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from nt_ray.errors import ServiceError

NAME = "nt-ray"


@dataclass(frozen=True, slots=True)
class Project:
    """Version, Python range and requirements (PEP 508 lines, without the optional groups) of this project."""

    version: str
    requires_python: str
    requirements: tuple[str, ...]


def project() -> Project:
    """Describe this project; raises `ServiceError` where it is neither installed nor a checkout."""
    try:
        lines = tuple(line for line in requires(NAME) or () if "extra ==" not in line)
        return Project(version(NAME), metadata(NAME)["Requires-Python"], lines)
    except PackageNotFoundError:
        return _checkout(Path(__file__).parent.parent / "pyproject.toml")


def _checkout(path: Path) -> Project:
    if not path.is_file():
        raise ServiceError(f"{NAME} is not installed and {path} is missing. Install it with pip.")
    table = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return Project(table["version"], table["requires-python"], tuple(table["dependencies"]))
