"""Health by component, and of the whole: as bad as its worst component.

A component is whatever can be asked; one that raises or does not answer in time is down, and says why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nt_ray.errors import NeuralTraderError

PATIENCE_S: Final = 3.0

_log = logging.getLogger(__name__)


class Condition(StrEnum):
    """How something is; a later one is worse."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


_ORDER: Final = list(Condition)


@dataclass(frozen=True, slots=True)
class Component:
    """How one component is, and why where it is not well."""

    condition: Condition
    detail: str = ""


Check = Callable[[], Awaitable[Component]]


async def examine(checks: Mapping[str, Check], patience_s: float = PATIENCE_S) -> dict[str, Component]:
    """Ask all components at once."""
    found = await asyncio.gather(*(_one(name, check, patience_s) for name, check in checks.items()))
    return dict(zip(checks, found, strict=True))


def overall(components: Mapping[str, Component]) -> Condition:
    """Condition of the worst component; up where there is none."""
    return max((c.condition for c in components.values()), key=_ORDER.index, default=Condition.UP)


async def _one(name: str, check: Check, patience_s: float) -> Component:
    try:
        return await asyncio.wait_for(check(), patience_s)
    except TimeoutError:
        return Component(Condition.DOWN, f"It did not answer in {patience_s:g} s.")
    except NeuralTraderError as error:
        return Component(Condition.DOWN, str(error))
    except Exception:  # noqa: BLE001  # a check is anybody's code, and health is asked of what is broken
        _log.exception("The health of %s cannot be told.", name)
        return Component(Condition.DOWN, "It failed; the log says why.")
