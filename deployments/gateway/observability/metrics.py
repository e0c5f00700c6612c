"""Counts of this replica in Prometheus' text, under names that do not change.

`http_requests_total` and `http_request_duration_seconds` count what this replica answered. What is known of accounts is
asked at each scrape and is the same at every replica, so dashboards take its maximum over replicas, not its sum. Labels
come from closed lists or from accounts, never from callers, so their number is bounded.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from deployments.gateway.observability.gpu import Gpu
from nt_ray.trader.tally import AccountTally

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
LATENCY_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts of one replica."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "http_requests", "Requests answered.", ("method", "status"), registry=self._registry
        )  # fmt: skip
        self._latency = Histogram(
            "http_request_duration_seconds",
            "Time to the end of an answer.",
            ("method",),
            buckets=LATENCY_S,
            registry=self._registry,
        )
        self._in_flight = Gauge("http_requests_in_flight", "Requests being answered.", registry=self._registry)
        self._sockets = Gauge("websocket_connections", "WebSockets that are open.", registry=self._registry)
        # A child by its labels takes a lock and a walk each time; these few are kept.
        self._counts: dict[tuple[str, int], Counter] = {}
        self._times = {method: self._latency.labels(method) for method in (*METHODS, "OTHER")}

    def begin(self) -> None:
        """Count a request that has come."""
        self._in_flight.inc()

    def end(self, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        known = method if method in self._times else "OTHER"
        key = known, status
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = self._requests.labels(known, str(status))
        self._in_flight.dec()
        count.inc()
        self._times[known].observe(seconds)

    def opened(self) -> None:
        """Count a WebSocket that has opened."""
        self._sockets.inc()

    def closed(self) -> None:
        """Count a WebSocket that has closed."""
        self._sockets.dec()

    def text(self, tallies: Sequence[AccountTally], gpus: Sequence[Gpu], asked: bool) -> bytes:
        """Write all counts; `asked` tells whether every account answered."""
        scrape = CollectorRegistry(auto_describe=False)
        scrape.register(_Found([*_accounts(tallies), *_gpus(gpus), _up(asked)]))
        return generate_latest(self._registry) + generate_latest(scrape)


class _Found:
    """Families that were asked for one scrape."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _accounts(tallies: Sequence[AccountTally]) -> list[Metric]:
    traded = ("account", "strategy", "symbol")
    count = CounterMetricFamily("trades_executed", "Executions booked.", labels=traded)
    profit = GaugeMetricFamily("trade_pnl", "Realised profit of a strategy's executions.", labels=traded)
    orders = GaugeMetricFamily("orders", "Orders by their status now.", labels=("account", "status"))
    denials = CounterMetricFamily("orders_denied", "Orders that the gate refused.", labels=("account", "rule"))
    halted = GaugeMetricFamily("trading_halts", "Kill switches that are set.", labels=("account",))
    tripped = GaugeMetricFamily("loss_rules_tripped", "Loss rules that have tripped.", labels=("account",))
    of_state = {
        "equity": GaugeMetricFamily("portfolio_value", "Equity of an account.", labels=("account",)),
        "cash": GaugeMetricFamily("portfolio_cash", "Cash of an account.", labels=("account",)),
        "realised": GaugeMetricFamily("portfolio_realised_pnl", "Realised profit.", labels=("account",)),
        "high_water": GaugeMetricFamily("portfolio_high_water", "Highest equity so far.", labels=("account",)),
        "day_start_equity": GaugeMetricFamily(
            "portfolio_day_start_value", "Equity as the day began.", labels=("account",)
        ),
    }
    for tally in tallies:
        state = tally.state
        for name, family in of_state.items():
            family.add_metric((state.name,), float(getattr(state, name)))
        halted.add_metric((state.name,), len(state.halts))
        tripped.add_metric((state.name,), len(state.breaker))
        for status, number in tally.orders.items():
            orders.add_metric((state.name, status), number)
        for rule, number in state.denials.items():
            denials.add_metric((state.name, rule), number)
        for line in tally.traded:
            labels = (state.name, line.strategy, line.symbol)
            count.add_metric(labels, line.executions)
            profit.add_metric(labels, float(line.realised))
    return [count, profit, orders, denials, halted, tripped, *of_state.values()]


def _gpus(gpus: Sequence[Gpu]) -> list[Metric]:
    busy = GaugeMetricFamily("gpu_utilization_percent", "Share of time in which a GPU worked.", labels=("gpu",))
    used = GaugeMetricFamily("gpu_memory_used_bytes", "Memory of a GPU in use.", labels=("gpu",))
    for gpu in gpus:
        busy.add_metric((gpu.index,), gpu.busy_percent)
        used.add_metric((gpu.index,), gpu.used_bytes)
    return [busy, used]


def _up(asked: bool) -> Metric:
    family = GaugeMetricFamily("accounts_answered", "Whether every account answered this scrape.")
    family.add_metric((), float(asked))
    return family
