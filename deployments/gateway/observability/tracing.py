"""Traces of requests and orders by OpenTelemetry: HTTP, then the account's steps, then the venue.

Off unless a collector is named. A trace that a caller began is gone on with (W3C `traceparent`). An account tells when
its steps began and ended, and they become spans here: so an actor needs neither exporter nor context, and an order that
nobody traces costs nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nt_ray.config.observability import Observability
from nt_ray.project import project
from nt_ray.trader.steps import Step

SERVICE: Final = "nt-ray-gateway"
ORDER: Final = "execute_trade"
_TRACES: Final = "/v1/traces"

_TRACER: ContextVar[Tracer | None] = ContextVar("tracer", default=None)
"""Who traces the request under way."""

Headers = Sequence[tuple[bytes, bytes]]


class Tracing:
    """Traces of one replica; without a provider nothing is traced."""

    def __init__(self, provider: TracerProvider | None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer(SERVICE, project().version)
        self._context = TraceContextTextMapPropagator()

    @property
    def is_on(self) -> bool:
        """Whether anything is traced."""
        return self._tracer is not None

    @contextmanager
    def request(self, method: str, headers: Headers) -> Iterator[Span]:
        """Trace a request, within the caller's trace where it says so."""
        if self._tracer is None:
            yield trace.INVALID_SPAN
            return
        around = self._context.extract(headers, getter=_HEADERS)
        token = _TRACER.set(self._tracer)
        try:
            with self._tracer.start_as_current_span(method, around, kind=SpanKind.SERVER) as span:
                span.set_attribute("http.request.method", method)
                yield span
        finally:
            _TRACER.reset(token)

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()


@contextmanager
def order_span(attributes: Mapping[str, str | int]) -> Iterator[bool]:
    """Trace an order's way within the request under way; tells whether anybody traces it."""
    tracer = _TRACER.get()
    if tracer is None or not trace.get_current_span().is_recording():
        yield False
        return
    with tracer.start_as_current_span(ORDER, attributes=attributes):
        yield True


def add_steps(steps: Sequence[Step]) -> None:
    """Add steps of an account to the trace under way."""
    tracer = _TRACER.get()
    if tracer is None:
        return
    for step in steps:
        kind = SpanKind.CLIENT if step.name == "submit_to_broker" else SpanKind.INTERNAL
        tracer.start_span(step.name, kind=kind, start_time=step.start_ns).end(step.end_ns)


def answered(span: Span, method: str, status: int, route: str) -> None:
    """Say on a request's span how it was answered."""
    if not span.is_recording():
        return
    span.set_attribute("http.response.status_code", status)
    if route:
        span.set_attribute("http.route", route)
        span.update_name(f"{method} {route}")
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def open_tracing(settings: Observability, exporter: SpanExporter | None = None) -> Tracing:
    """Trace to the collector of the settings, or to an exporter; to nobody where there is neither."""
    if exporter is None:
        if settings.otlp is None:
            return Tracing(None)
        exporter = _collector(settings.otlp)
    sampler = ParentBased(TraceIdRatioBased(settings.trace_share))
    resource = Resource({"service.name": SERVICE, "service.version": project().version})
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Tracing(provider)


def _collector(address: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    base = address.rstrip("/")
    return OTLPSpanExporter(base if base.endswith(_TRACES) else base + _TRACES)


class _HeaderGetter(Getter[Headers]):
    """Headers as a server hands them over."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        found = [value.decode("latin-1") for name, value in carrier if name == wanted]
        return found or None

    def keys(self, carrier: Headers) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS: Final[Any] = _HeaderGetter()
