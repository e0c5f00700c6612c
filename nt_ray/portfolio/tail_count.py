"""How many observations make the tail: one rule for past returns, simulated scenarios and programs over them.

With n equally likely observations and confidence a the tail holds (1-a)n of them; its last one, the value at risk, has
rank k = ceil((1-a)n) from the worst. (1-a)n may be off a whole number by rounding, which must not move the rank.
"""

import math
from typing import Final

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence

_ROUNDING: Final = 1e-9
"""Slack in counting: (1 - 0.95) * 100 is a hair above 5 in floating point."""
_ROUNDING_EACH: Final = 1e-15
"""The same for each of many observations: what 1 - 0.95 is off by, 4e-17, is multiplied by their number."""


def tail_size(observations: int, confidence: float) -> tuple[float, int]:
    """Return how many observations the tail holds, as a fraction, and the rank of its last from the worst, at least 1.

    The confidence lies between 0 and 1; whether the tail is large enough is a question for `check_tail`.
    """
    tail = (1.0 - confidence) * observations
    return tail, max(1, math.ceil(tail - max(_ROUNDING, _ROUNDING_EACH * observations)))


def check_tail(observations: int, confidence: float) -> None:
    """Refuse a sample so small that its tail holds less than one observation, and a confidence outside (0.5, 1)."""
    check_confidence(confidence)
    if observations * (1.0 - confidence) < 1.0 - _ROUNDING:
        raise RiskError(
            f"The tail beyond {confidence:g} of {observations} observations holds less than one of them. "
            f"Give at least {math.ceil(1.0 / (1.0 - confidence) - 1e-6)}, or lower the confidence."
        )
