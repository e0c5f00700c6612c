"""All measures by name, and the page that documents them."""

from collections.abc import Mapping
from types import MappingProxyType

from nt_ray.backtest.measures import growth, ratios, relative, risk, trading
from nt_ray.backtest.measures.base import Measure
from nt_ray.backtest.measures.evidence import Evidence

GROUPS: Mapping[str, tuple[Measure, ...]] = MappingProxyType(
    {
        "Growth": growth.MEASURES,
        "Risk": risk.MEASURES,
        "Reward for risk": ratios.MEASURES,
        "Against the benchmark": relative.MEASURES,
        "Trading": trading.MEASURES,
    }
)

METRICS: Mapping[str, Measure] = MappingProxyType({m.name: m for group in GROUPS.values() for m in group})
"""Every measure by its name, in the order of the page."""

HEAD = """# Metrics

Every figure of performance with its unit and its one convention. The page is made from the code: `python -m
nt_ray.backtest.measures` prints it.

Returns are simple and begin at the opening equity, so a loss on the first bar counts. n is the number of bars, q the
bars in a year (252 for daily bars of an exchange), r the return of a bar. A figure that is undefined (constant returns,
fewer than two bars, ruin, no trades, no benchmark) is absent (`null`), never zero, infinite or NaN. Fractions are not
percent: 0.05 is five percent.
"""


def measure_all(evidence: Evidence) -> dict[str, float | None]:
    """Value of every measure; None is undefined. Raises `MetricsError` for evidence that cannot be measured."""
    # The metrics of every report check the evidence as a whole, before anything else looks at it.
    _ = evidence.metrics
    return {name: metric(evidence) for name, metric in METRICS.items()}


def metrics_page() -> str:
    """Write docs/metrics.md."""
    parts = [HEAD]
    for title, group in GROUPS.items():
        parts.append(f"\n## {title}\n\n| name | figure | unit | convention | source |\n|---|---|---|---|---|\n")
        parts += [f"| `{m.name}` | {m.title} | {m.unit} | {m.convention} | {m.source} |\n" for m in group]
    return "".join(parts)
