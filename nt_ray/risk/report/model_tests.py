"""Whether the measures themselves would have held: each rolled over the portfolio's past and tested."""

from dataclasses import dataclass

from nt_ray.risk.backtests.basel import TrafficLight
from nt_ray.risk.backtests.coverage import CoverageTest
from nt_ray.risk.backtests.rolling import backtest
from nt_ray.risk.backtests.shortfall import ShortfallTest
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.refusal import attempt
from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """Forecasts for the next period and what came, (n,) each, oldest first; fractions of equity."""

    times: tuple[str, ...]
    """End of the period that was forecast."""
    var: tuple[float, ...]
    es: tuple[float, ...]
    realised: tuple[float, ...]
    """Returns."""
    violations: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTest:
    """One measure at one confidence; nothing but the reason where it could not be rolled."""

    method: str
    confidence: float
    window: int
    violations: int | None = None
    expected: float | None = None
    """Violations that a right model has on average."""
    kupiec: CoverageTest | None = None
    independence: CoverageTest | None = None
    conditional_coverage: CoverageTest | None = None
    traffic_light: TrafficLight | None = None
    shortfall: tuple[ShortfallTest, ...] = ()
    """Acerbi and Szekely's Z1, Z2 and Z3."""
    rolled: Rolled | None = None
    notes: tuple[str, ...] = ()
    refused: str = ""


def model_tests(portfolio: FloatArray, stamps: tuple[str, ...], plan: ReportPlan) -> tuple[ModelTest, ...]:
    """Roll the measures of a plan over the returns (T,) of a portfolio, one period ahead, at its highest confidence."""
    return tuple(_tested(name, portfolio, stamps, plan) for name in plan.backtested)


def _tested(name: str, portfolio: FloatArray, stamps: tuple[str, ...], plan: ReportPlan) -> ModelTest:
    confidence = plan.highest
    found, refused = attempt(lambda: backtest(portfolio, name, plan.window, confidence, seed=plan.seed))
    if found is None:
        return ModelTest(method=name, confidence=confidence, window=plan.window, refused=refused)
    made = found.forecasts
    return ModelTest(
        method=name,
        confidence=confidence,
        window=plan.window,
        violations=found.kupiec.violations,
        expected=(1.0 - confidence) * found.kupiec.observations,
        kupiec=found.kupiec,
        independence=found.independence,
        conditional_coverage=found.conditional_coverage,
        traffic_light=found.traffic_light,
        shortfall=found.shortfall,
        rolled=Rolled(
            times=tuple(stamps[at] for at in made.first.tolist()),
            var=tuple(made.var.tolist()),
            es=tuple(made.es.tolist()),
            realised=tuple(made.realised.tolist()),
            violations=tuple(made.violations.tolist()),
        ),
        notes=found.notes,
    )
