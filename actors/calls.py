"""Calls to actors that may die in the middle: repeat until the restarted actor answers.

Only for calls that are safe to repeat. Ray itself must not repeat them, since it cannot know that.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError

from nt_ray.errors import ServiceError

T = TypeVar("T")

PATIENCE_S = 60.0
PAUSE_S = 0.1


def settle(
    ref: "ray.ObjectRef[T]",
    again: Callable[[], "ray.ObjectRef[T]"],
    what: str,
    *,
    patience_s: float = PATIENCE_S,
) -> T:
    """Return the result of a call, made again while its actor restarts; give up after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return ray.get(ref, timeout=patience_s)
        except (ActorUnavailableError, ActorDiedError, GetTimeoutError) as error:
            if time.monotonic() >= deadline:
                raise ServiceError(
                    f"{what} did not come back within {patience_s:g} s. Look at `ray status` and the node's logs."
                ) from error
            time.sleep(PAUSE_S)
            ref = again()
