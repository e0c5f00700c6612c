"""Traces of requests and orders by OpenTelemetry: HTTP, then the account's steps, then the venue.

Off unless a collector is named. A trace that a caller began goes on (W3C `traceparent`). Its ids travel with
a call of an account, whose log lines bear them. The account answers with its steps, and they become spans here: so
an actor needs no exporter, a venue gets no header, and an order that nobody traces costs nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nt_ray.config.observability import Observability
from nt_ray.project import project
from nt_ray.trading.origin import Origin, origin
from nt_ray.trading.steps import Step

SERVICE: Final = "nt-ray-gateway"
ORDER: Final = "execute_trade"
VALIDATION: Final = "validate_order"
EXPORT_S: Final = 3.0
"""How long a collector is waited for, also when a replica ends."""
_TRACES: Final = "/v1/traces"

_TRACER: ContextVar[Tracer | None] = ContextVar("tracer", default=None)
"""Who traces the request under way."""

_UNTRACED: Final = nullcontext(trace.INVALID_SPAN)

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

    def request(self, method: str, headers: Headers) -> AbstractContextManager[Span]:
        """Trace a request, within the caller's trace where it says so."""
        return _UNTRACED if self._tracer is None else self._traced(self._tracer, method, headers)

    @contextmanager
    def _traced(self, tracer: Tracer, method: str, headers: Headers) -> Iterator[Span]:
        around = self._context.extract(headers, getter=_HEADERS)
        token = _TRACER.set(tracer)
        try:
            with _span(tracer, method, {"http.request.method": method}, around, SpanKind.SERVER) as span:
                yield span
        finally:
            _TRACER.reset(token)

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()


@contextmanager
def call_span(name: str, attributes: Mapping[str, str | int]) -> Iterator[Origin]:
    """Trace a call of an account within the request under way; gives where the call comes from, traced or not."""
    here, around, tracer = origin(), trace.get_current_span(), _TRACER.get()
    if tracer is None or not around.is_recording():
        yield here
        return
    if name == ORDER and isinstance(around, ReadableSpan):
        # Who asks, whether he may, and whether what he wants is an order: what was done since the request came.
        tracer.start_span(VALIDATION, start_time=around.start_time).end()
    with _span(tracer, name, attributes) as span:
        context = span.get_span_context()
        yield here._replace(trace_id=f"{context.trace_id:032x}", span_id=f"{context.span_id:016x}")


def add_steps(steps: Sequence[Step]) -> None:
    """Add steps of an account to the trace under way, each within the one around it."""
    tracer = _TRACER.get()
    if tracer is None:
        return
    places: list[Context | None] = []
    for step in steps:
        span = tracer.start_span(
            step.name,
            None if step.within < 0 else places[step.within],
            SpanKind.CLIENT if step.asks else SpanKind.INTERNAL,
            dict(step.facts),
            start_time=step.start_ns,
        )
        if step.fault:
            span.set_status(Status(StatusCode.ERROR, step.fault))
        span.end(step.end_ns)
        places.append(trace.set_span_in_context(span))


@contextmanager
def _span(
    tracer: Tracer,
    name: str,
    attributes: Mapping[str, str | int],
    context: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """Make a span; an error bears its type alone, since its text may repeat what was sent."""
    started = tracer.start_as_current_span(
        name, context, kind, dict(attributes), record_exception=False, set_status_on_exception=False
    )
    with started as span, ExitStack() as ending:
        ending.push(partial(_judged, span))
        yield span


def _judged(span: Span, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
    if kind is not None and issubclass(kind, Exception):
        span.set_status(Status(StatusCode.ERROR, kind.__name__))


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
    return OTLPSpanExporter(base if base.endswith(_TRACES) else base + _TRACES, timeout=EXPORT_S)


class _HeaderGetter(Getter[Headers]):
    """Headers as a server hands them over."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        found = [value.decode("latin-1") for name, value in carrier if name == wanted]
        return found or None

    def keys(self, carrier: Headers) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS: Final[Any] = _HeaderGetter()
