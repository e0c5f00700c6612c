"""The doctor: is this machine ready for a run, and if not, what to do.

Owns the checks and their remedies. Changes nothing, starts no Ray.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from nt_ray.config import Settings, load_settings
from nt_ray.doctor.check import Check, Verdict, fail, ok
from nt_ray.doctor.machine import check_machine
from nt_ray.doctor.software import check_software
from nt_ray.doctor.surroundings import check_surroundings
from nt_ray.errors import ConfigError

__all__ = ["Check", "Verdict", "examine", "is_ready"]


def examine(path: Path | None = None, environ: Mapping[str, str] | None = None) -> list[Check]:
    """Check everything; with settings that cannot be used the rest is checked with the defaults."""
    environ = os.environ if environ is None else environ
    try:
        settings, finding = load_settings(path, environ=environ), ok("settings", "valid.")
    except ConfigError as error:
        settings, finding = Settings(), fail("settings", " ".join(str(error).splitlines()), "")
    return [*check_software(), *check_machine(settings), *check_surroundings(settings, environ), finding]


def is_ready(checks: list[Check]) -> bool:
    """Whether no check fails."""
    return all(check.verdict is not Verdict.FAIL for check in checks)
