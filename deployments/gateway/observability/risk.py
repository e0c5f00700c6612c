"""What accounts may lose and how far their limits are used, as families of a scrape; fractions of equity.

A figure that nobody knows, such as a value at risk without scenarios, has no sample: never zero, never NaN.
"""

import math
from collections.abc import Iterable

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from nt_ray.trader.tally import AccountTally


def risk(tallies: Iterable[AccountTally]) -> list[Metric]:
    """Return tails and limits of accounts; labels are accounts, limits by their names, one confidence an account."""
    tails = ("account", "confidence")
    var = GaugeMetricFamily("portfolio_value_at_risk", "Loss of a period that the confidence covers.", labels=tails)
    shortfall = GaugeMetricFamily("portfolio_expected_shortfall", "Mean loss beyond that.", labels=tails)
    limits = ("account", "limit")
    used = GaugeMetricFamily("risk_used", "What a limit on the whole account bounds, as it is now.", labels=limits)
    limit = GaugeMetricFamily("risk_limit", "The limit, where one is set.", labels=limits)
    for tally in tallies:
        name = tally.state.name
        if tally.tail is not None:
            labels = (name, f"{tally.tail.confidence:g}")
            var.add_metric(labels, tally.tail.var)
            shortfall.add_metric(labels, tally.tail.shortfall)
        for usage in tally.limits:
            if not math.isnan(usage.value):
                used.add_metric((name, usage.name), usage.value)
            if usage.limit is not None:
                limit.add_metric((name, usage.name), usage.limit)
    return [var, shortfall, used, limit]
