"""How sets of scopes and accounts lie in a column: a JSON list, or NULL for all; and what names may be."""

import json
import re
from collections.abc import Iterable
from typing import Final

from nt_ray.access.errors import AccessInputError
from nt_ray.access.roles import Scope

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def listed(values: Iterable[str] | None) -> str | None:
    """Write a set down."""
    return None if values is None else json.dumps(sorted(values))


def accounts_of(text: str | None) -> frozenset[str] | None:
    """Read accounts."""
    return None if text is None else frozenset(json.loads(text))


def scopes_of(text: str | None) -> frozenset[Scope] | None:
    """Read scopes."""
    return None if text is None else frozenset(map(Scope, json.loads(text)))


def common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """What both allow, where None allows all."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def is_name(name: str) -> bool:
    """Tell whether a text may be a user's name."""
    return _NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """Take a user's name as it is; `AccessInputError` where it could be mistaken for another or for something else."""
    if not is_name(name):
        raise AccessInputError(
            f"{name[:80]!r} is no user name. Take 1 to 64 letters, digits and . _ @ + - and begin with one of the "
            "first two."
        )
    return name
