"""What a replica counts, and what all of them have, in Prometheus' text under names that do not change.

A replica counts what it answers; what is written is what all replicas have counted (`actors.counts`), so it is the same
whichever is asked. What is known of accounts is asked at each scrape. Labels come from closed lists or from accounts,
never from callers, so their number is bounded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from actors.counts import All, Family, Over, Told
from deployments.gateway.observability.gpu import Gpu
from deployments.gateway.observability.risk import risk
from deployments.gateway.observability.work import Work, work
from nt_ray.trader.health import LiveStatus
from nt_ray.trader.tally import AccountTally

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
_GROWS: Final = ("counter", "histogram")
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
LATENCY_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Watched:
    """An account as it answered."""

    tally: AccountTally
    status: LiveStatus


class Metrics:
    """Counts of one replica."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        self._requests = Counter("http_requests", "Requests answered.", ("method", "status"), registry=self._registry)
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

    def told(self, replica: str, node: str, gpus: Sequence[Gpu]) -> Told:
        """Return what this replica has counted since it began, what its process takes, and the GPUs of its node."""
        own = [_family(m, Over.ALL if m.type in _GROWS else Over.LIVING) for m in self._registry.collect()]
        process = [_family(metric, Over.LIVING, ("replica", replica)) for metric in self._process.collect()]
        return (*own, *process, *(_family(metric, Over.NEWEST, ("node", node)) for metric in _gpus(gpus)))


def text(counted: All | None, accounts: Sequence[Watched], done: Work, *, complete: bool) -> bytes:
    """Write what all replicas have counted, nothing where that is unknown, accounts and work.

    `complete`: all accounts answered.
    """
    scrape = CollectorRegistry(auto_describe=False)
    replicas = GaugeMetricFamily("gateway_replicas", "Replicas that told their counts lately.")
    replicas.add_metric((), 0 if counted is None else counted.replicas)
    answered = GaugeMetricFamily("accounts_answered", "Whether every account answered this scrape.")
    answered.add_metric((), float(complete))
    families = () if counted is None else counted.families
    asked = [*_accounts(accounts), *risk(found.tally for found in accounts), answered, *work(done)]
    scrape.register(_Found([*map(_metric, families), replicas, *asked]))
    return generate_latest(scrape)


class _Found:
    """Families of one scrape."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _family(metric: Metric, over: Over, *more: tuple[str, str]) -> Family:
    samples = {
        (sample.name, (*sorted(sample.labels.items()), *more)): sample.value
        for sample in metric.samples
        # When a counter began says nothing of a sum of several.
        if not sample.name.endswith("_created")
    }
    return Family(metric.name, metric.type, metric.documentation, over, samples)


def _metric(family: Family) -> Metric:
    metric = Metric(family.name, family.text, family.kind)
    for (name, labels), value in family.samples.items():
        metric.add_sample(name, dict(labels), value)
    return metric


def _accounts(watched: Sequence[Watched]) -> list[Metric]:
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
    up = GaugeMetricFamily("venue_up", "Whether an account's venue answered its last inquiry.", labels=("account",))
    fenced = GaugeMetricFamily("account_fenced", "Whether another writer has taken over.", labels=("account",))
    doubts = GaugeMetricFamily("orders_in_doubt", "Orders whose state nobody knows.", labels=("account",))
    for found in watched:
        tally, status = found.tally, found.status
        state = tally.state
        up.add_metric((state.name,), float(status.health.up))
        fenced.add_metric((state.name,), float(status.is_fenced))
        doubts.add_metric((state.name,), status.in_doubt)
        for name, family in of_state.items():
            family.add_metric((state.name,), float(getattr(state, name)))
        halted.add_metric((state.name,), len(state.halts))
        tripped.add_metric((state.name,), len(state.breaker))
        for word, number in tally.orders.items():
            orders.add_metric((state.name, word), number)
        for rule, number in state.denials.items():
            denials.add_metric((state.name, rule), number)
        for line in tally.traded:
            labels = (state.name, line.strategy, line.symbol)
            count.add_metric(labels, line.executions)
            profit.add_metric(labels, float(line.realised))
    return [count, profit, orders, denials, halted, tripped, up, fenced, doubts, *of_state.values()]


def _gpus(gpus: Sequence[Gpu]) -> list[Metric]:
    busy = GaugeMetricFamily("gpu_utilization_percent", "Share of time in which a GPU worked.", labels=("gpu",))
    used = GaugeMetricFamily("gpu_memory_used_bytes", "Memory of a GPU in use.", labels=("gpu",))
    for gpu in gpus:
        busy.add_metric((gpu.index,), gpu.busy_percent)
        used.add_metric((gpu.index,), gpu.used_bytes)
    return [busy, used]
