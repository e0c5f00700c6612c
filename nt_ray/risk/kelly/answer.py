"""What every Kelly rule answers: fractions of wealth, the growth they give, and the risk of halving."""

from dataclasses import dataclass

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class KellyAnswer:
    """Fractions of wealth to put at stake, and what follows from them if the given odds and chances are true."""

    fractions: FloatArray
    """(N,) fractions of present wealth, in the order of the bets or assets."""
    growth: float
    """Expected logarithmic growth a period, in nats; a period is one bet, slate or row of the input."""
    halving: float
    """Probability that wealth, staked so again and again, ever falls to half: exact for diffusions, else a bound."""
    method: str
    """How it was found: closed_form, newton, interior_point, ..."""
    residual: float
    """Largest violation of the optimality conditions, relative to the problem's scale; 0 for closed forms."""
    notes: tuple[str, ...] = ()
    """Assumptions, and constraints that bind."""

    @property
    def fraction(self) -> float:
        """The one fraction of an answer about a single bet."""
        if self.fractions.size != 1:
            raise RiskError(f"There are {self.fractions.size} fractions, not one. Read `fractions` instead.")
        return float(self.fractions[0])

    @property
    def total(self) -> float:
        """Sum of the fractions."""
        return float(self.fractions.sum())
