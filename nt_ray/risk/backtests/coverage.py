"""Coverage tests: losses must pass VaR as often as it says, and without clusters.

Likelihood ratios, asymptotically chi-squared. 0 ln 0 is 0, so no violation and nothing but violations are legal. With
few expected violations the asymptotic p-value is rough.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageTest:
    """A likelihood ratio and what it says about a model."""

    name: str
    statistic: float
    degrees: int
    p_value: float
    """Chance of at least this statistic if the model is right."""
    observations: int
    violations: int

    def rejects(self, level: float = 0.05) -> bool:
        """Tell whether the model is refused at this level."""
        return self.p_value < level


@dataclass(frozen=True, slots=True, kw_only=True)
class Transitions:
    """How often a day of one kind followed a day of another; 1 is a violation."""

    calm_to_calm: int
    calm_to_violation: int
    violation_to_calm: int
    violation_to_violation: int

    def __post_init__(self) -> None:
        counts = (self.calm_to_calm, self.calm_to_violation, self.violation_to_calm, self.violation_to_violation)
        if min(counts) < 0 or sum(counts) < 1:
            raise RiskError(f"Transitions {counts} cannot be counted. Give counts of zero or more, one at least.")


def kupiec(violations: int, observations: int, confidence: float) -> CoverageTest:
    """Test the number of violations: proportion of failures.

    Notes
    -----
    LR = -2 ln[(1-p)^(n-x) p^x / ((1-x/n)^(n-x) (x/n)^x)] ~ chi2(1), p = 1 - confidence. Kupiec (1995), Techniques for
    verifying the accuracy of risk measurement models.
    """
    p = 1.0 - check_confidence(confidence)
    n, x = check_count(violations, observations)
    free = _log_likelihood(n - x, x, x / n)
    statistic = max(0.0, 2.0 * (free - _log_likelihood(n - x, x, p)))
    return _answer("kupiec", statistic, 1, n, x)


def check_count(violations: int, observations: int) -> tuple[int, int]:
    """Return the number of observations and of violations among them, whole numbers both."""
    if not 0 <= violations <= observations < math.inf or observations < 1 or violations % 1 or observations % 1:
        raise RiskError(f"{violations} violations of {observations} observations cannot be. Give 0 to n of n >= 1.")
    return int(observations), int(violations)


def independence(transitions: Transitions) -> CoverageTest:
    """Test whether a violation makes the next more or less likely.

    Notes
    -----
    First-order Markov alternative, ~ chi2(1), over n - 1 transitions. Christoffersen (1998), Evaluating interval
    forecasts. Where no day, or every day, follows a violation the statistic is 0: the sample tells nothing.
    """
    t = transitions
    calm, hot = t.calm_to_calm + t.calm_to_violation, t.violation_to_calm + t.violation_to_violation
    entered = t.calm_to_violation + t.violation_to_violation
    total = calm + hot
    free = sum(
        _log_likelihood(stay, move, move / count) if count else 0.0
        for stay, move, count in (
            (t.calm_to_calm, t.calm_to_violation, calm),
            (t.violation_to_calm, t.violation_to_violation, hot),
        )
    )
    statistic = max(0.0, 2.0 * (free - _log_likelihood(total - entered, entered, entered / total)))
    return _answer("independence", statistic, 1, total, entered)


def conditional_coverage(frequency: CoverageTest, clustering: CoverageTest) -> CoverageTest:
    """Join both tests: LR_cc = LR_pof + LR_ind ~ chi2(2); Christoffersen (1998)."""
    return _answer(
        "conditional_coverage",
        frequency.statistic + clustering.statistic,
        2,
        frequency.observations,
        frequency.violations,
    )


def coverage_tests(violations: npt.ArrayLike, confidence: float) -> tuple[CoverageTest, CoverageTest, CoverageTest]:
    """Run the three tests on a series of (n,) truth values, oldest first, n >= 2."""
    hits = np.asarray(violations)
    if hits.ndim != 1 or hits.size < 2 or hits.dtype != np.bool_:
        raise RiskError(f"Violations of type {hits.dtype} have shape {hits.shape}. Give two or more truth values.")
    frequency = kupiec(int(hits.sum()), hits.size, confidence)
    clustering = independence(transitions_of(hits))
    return frequency, clustering, conditional_coverage(frequency, clustering)


def transitions_of(hits: npt.NDArray[np.bool_]) -> Transitions:
    """Count the n - 1 transitions of (n,) truth values."""
    before, after = hits[:-1], hits[1:]
    return Transitions(
        calm_to_calm=int(np.sum(~before & ~after)),
        calm_to_violation=int(np.sum(~before & after)),
        violation_to_calm=int(np.sum(before & ~after)),
        violation_to_violation=int(np.sum(before & after)),
    )


def _log_likelihood(calm: int, hits: int, p: float) -> float:
    """Log-likelihood calm ln(1-p) + hits ln p, with 0 ln 0 = 0."""
    return (calm * math.log1p(-p) if calm else 0.0) + (hits * math.log(p) if hits else 0.0)


def _answer(name: str, statistic: float, degrees: int, observations: int, violations: int) -> CoverageTest:
    return CoverageTest(
        name=name,
        statistic=statistic,
        degrees=degrees,
        p_value=float(chdtrc(degrees, statistic)),
        observations=observations,
        violations=violations,
    )
