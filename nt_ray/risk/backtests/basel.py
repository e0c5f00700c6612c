"""The traffic light of the Basel Committee: zones of violations, and what they add to the capital multiplier."""

from dataclasses import dataclass

from scipy.special import bdtr

from nt_ray.portfolio.inputs import check_confidence
from nt_ray.risk.backtests.coverage import check_count

OBSERVATIONS = 250
"""Days of the Committee's test, at 99 %."""

_ADDED_1996 = (0.40, 0.50, 0.65, 0.75, 0.85, 1.00)
_ADDED_2019 = (0.20, 0.26, 0.33, 0.38, 0.42, 0.50)
_FIRST_YELLOW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficLight:
    """The zone of a number of violations."""

    zone: str
    """green, yellow or red."""
    violations: int
    observations: int
    probability: float
    """Chance of at most this many violations if the model is right."""
    multiplier: float | None
    """Capital multiplier of 1996, from 3 to 4; None but for 250 observations at 99 %."""
    multiplier_2019: float | None
    """Multiplier of the internal models approach of 2019, from 1.5 to 2; None but for 250 observations at 99 %."""


def traffic_light(violations: int, observations: int = OBSERVATIONS, confidence: float = 0.99) -> TrafficLight:
    """Find the zone of a number of violations.

    Notes
    -----
    Yellow begins where the chance of so many or fewer reaches 95 %, red where it reaches 99.99 %. Basel Committee
    (1996), Supervisory framework for the use of backtesting; multipliers of 2019: Basel Framework MAR32.
    """
    p = 1.0 - check_confidence(confidence)
    observations, violations = check_count(violations, observations)
    probability = float(bdtr(violations, observations, p))
    zone = "green" if probability < 0.95 else "yellow" if probability < 0.9999 else "red"
    regulatory = observations == OBSERVATIONS and abs(confidence - 0.99) < 1e-12
    step = violations - _FIRST_YELLOW
    added = [table[min(step, 5)] if step >= 0 else 0.0 for table in (_ADDED_1996, _ADDED_2019)]
    return TrafficLight(
        zone=zone,
        violations=violations,
        observations=observations,
        probability=probability,
        multiplier=3.0 + added[0] if regulatory else None,
        multiplier_2019=1.5 + added[1] if regulatory else None,
    )
