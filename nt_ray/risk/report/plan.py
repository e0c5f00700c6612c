"""What a risk report looks at: confidences, horizons, methods, history and shocks."""

from dataclasses import dataclass

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_confidence, check_horizon
from nt_ray.risk.measures.catalogue import MEASURES
from nt_ray.risk.stress.shocks import NAMED, Shock

CONFIDENCES, HORIZONS = (0.95, 0.99), (1, 10)
BACKTESTED = ("historical", "volatility_weighted", "normal")
"""Measures that are rolled over history where none are named; the others cost a fit a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlan:
    """Choices of a report; the defaults are a whole one."""

    confidences: tuple[float, ...] = CONFIDENCES
    horizons: tuple[int, ...] = HORIZONS
    """Periods ahead."""
    methods: tuple[str, ...] = tuple(MEASURES)
    history: int = 1000
    """Latest periods that measures are taken from; stress windows see all of the data."""
    backtested: tuple[str, ...] = BACKTESTED
    window: int = 250
    """Periods that each forecast of the backtest sees."""
    covariance: str = "ledoit_wolf"
    shocks: tuple[Shock, ...] | None = None
    """Shocks to apply; None: every named one."""
    reverse_loss: float = 0.2
    """Loss whose most plausible shock is looked for, as a fraction of equity."""
    follow: int = 10
    """Periods for which a shocked portfolio is followed."""
    floor: float = 0.5
    """Share of equity that must be left for a portfolio to survive."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.confidences or not self.horizons:
            raise RiskError("A report without a confidence or a horizon says nothing. Give one of each.")
        for confidence in self.confidences:
            check_confidence(confidence)
        for horizon in self.horizons:
            check_horizon(horizon)
        if self.history < 2:
            raise RiskError(f"A history of {self.history} periods has no risk to see. Give at least 2.")

    @property
    def highest(self) -> float:
        """The highest confidence, at which the portfolio is taken apart and the model tested."""
        return max(self.confidences)

    @property
    def applied(self) -> tuple[Shock, ...]:
        """Shocks of the report."""
        return self.shocks if self.shocks is not None else tuple(make() for make in NAMED.values())
