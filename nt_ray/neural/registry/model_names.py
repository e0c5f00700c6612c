"""Names of models, and references to one version: `name@alias`, `name/3`, `models:/name@alias`, `models:/name/3`."""

import re
from dataclasses import dataclass
from typing import Final

from nt_ray.neural.registry.registry_problems import ModelReferenceError

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ALIAS: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
SCHEME: Final = "models:/"
LAST_VERSION: Final = 99_999_999


@dataclass(frozen=True, slots=True)
class Reference:
    """What a text refers to: a model, and either an alias or a version of it."""

    name: str
    alias: str | None = None
    version: int | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.alias}" if self.alias is not None else f"{self.name}/{self.version}"


def reference(text: str) -> Reference:
    """Read a reference; raises `ModelReferenceError` on any other text."""
    name, mark, rest = re.fullmatch(r"([^@/]*)([@/]?)(.*)", text.removeprefix(SCHEME), re.DOTALL).groups()  # type: ignore[union-attr]
    if not mark:
        raise ModelReferenceError(f"{text!r} names no version. Write {name or 'NAME'}@champion or {name or 'NAME'}/3.")
    checked_name(name)
    if mark == "@":
        return Reference(name, alias=checked_alias(rest))
    return Reference(name, version=checked_version(rest))


def checked_name(name: str) -> str:
    """Return a name that a model may have."""
    if not NAME.fullmatch(name):
        raise ModelReferenceError(
            f"{name!r} is no name of a model. Use up to 64 of a-z, 0-9, - and _, beginning with a letter or digit."
        )
    return name


def checked_alias(alias: str) -> str:
    """Return a name that an alias may have."""
    if not ALIAS.fullmatch(alias):
        raise ModelReferenceError(
            f"{alias!r} is no alias. Use up to 32 of a-z, 0-9, - and _, beginning with a letter, such as champion."
        )
    return alias


def checked_version(text: str | int) -> int:
    """Read the number of a version."""
    digits = str(text)
    if not re.fullmatch(r"[1-9][0-9]{0,7}", digits):
        raise ModelReferenceError(f"{digits!r} is no version. Versions are the whole numbers from 1.")
    return int(digits)
