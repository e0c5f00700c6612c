"""A part of a report that cannot be made says why, and stops no other part."""

from collections.abc import Callable
from typing import TypeVar

from nt_ray.errors import BadInputError

T = TypeVar("T")


def attempt(compute: Callable[[], T]) -> tuple[T | None, str]:
    """Return what a computation gives, or None and the sentence with which it refuses."""
    try:
        return compute(), ""
    except BadInputError as error:
        return None, str(error)
