"""A minimum under a smooth convex limit, also where the limit leaves hardly anything to choose, or nothing at all.

Where the interior point does not prove its answer, the limit itself is minimised over the region: that tells whether
anything satisfies it, and gives the one choice there is where it is satisfied only just.
"""

from dataclasses import dataclass

import numpy as np

from nt_ray.portfolio.optimise.solution import InfeasibleError, UnsolvedError
from nt_ray.risk.kelly.interior import Optimum, minimise
from nt_ray.risk.kelly.objectives import Smooth
from nt_ray.risk.kelly.region import Region
from nt_ray.types import FloatArray

JUST = 1e-9
"""A limit whose least value lies this near to zero is satisfied in one way only."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A convex function that must not exceed zero."""

    function: Smooth
    name: str
    scale: float
    """Typical size of its slope."""


def minimise_under(objective: Smooth, place: Region, limit: Limit, *, scale: float) -> tuple[Optimum, tuple[str, ...]]:
    """Minimise in a region subject to limit(x) <= 0; the notes tell where the limit left one choice only."""
    origin = np.zeros(place.lower.size)
    try:
        return minimise(objective, place, start=origin, limit=limit.function, scale=scale), ()
    except UnsolvedError:
        return _from_safest(objective, place, limit, scale, origin)


def _from_safest(
    objective: Smooth, place: Region, limit: Limit, scale: float, origin: FloatArray
) -> tuple[Optimum, tuple[str, ...]]:
    safest = minimise(limit.function, place, start=origin, scale=limit.scale)
    least = limit.function.value(safest.x)
    if least > JUST:
        raise InfeasibleError((limit.name, "bounds", *place.names))
    if least > -JUST:
        return safest, (f"the {limit.name} leaves one choice only",)
    return minimise(objective, place, start=safest.x, limit=limit.function, scale=scale), ()
