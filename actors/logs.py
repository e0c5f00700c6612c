"""Lines of a process's log as JSON, each with the ids of the request, order and trace it belongs to, secrets masked.

Every logger of the process goes the same way: standard logging is formatted here, so no part of the platform needs to
know. Ids of request and trace are those of `nt_ray.trading.origin`, or of the span under way; what else a line belongs
to it says itself. The newest lines are kept in memory for the dashboard; what is kept is what was written, masked.
"""

import logging
import secrets
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

from actors.log_masking import masked
from nt_ray.config.observability import Observability
from nt_ray.trading.origin import origin


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was logged; numbers count up from 1."""

    number: int
    text: str


class _Written(logging.StreamHandler[TextIO]):
    """Where lines are written."""


class LogTail(logging.Handler):
    """The newest lines of this process; `source` tells its numbers from those of any other, and of another start."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.source = secrets.token_hex(4)
        self._lines: deque[Line] = deque(maxlen=length)
        self._count = 0
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        text = self.format(record)
        with self._guard:
            self._count += 1
            self._lines.append(Line(self._count, text))

    def newest(self, limit: int) -> list[Line]:
        """Newest lines, oldest first."""
        with self._guard:
            return list(self._lines)[-limit:] if limit > 0 else []

    def after(self, number: int, limit: int) -> list[Line]:
        """Lines behind a number, oldest first; those left out come behind the last of them."""
        with self._guard:
            return [line for line in self._lines if line.number > number][:limit]


def configure(settings: Observability, stream: TextIO | None = None) -> LogTail:
    """Send every line of the process through here, and return the newest ones."""
    tail = LogTail(settings.log_tail)
    out = _Written(stream or sys.stderr)
    json: tuple[Processor, ...] = (_named, structlog.processors.JSONRenderer())
    plain: tuple[Processor, ...] = (structlog.dev.ConsoleRenderer(colors=False),)
    out.setFormatter(_formatter(*(json if settings.log_format == "json" else plain)))
    tail.setFormatter(_formatter(*json))
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Written | LogTail)]:
        root.removeHandler(handler)
    root.addHandler(out)
    root.addHandler(tail)
    root.setLevel(settings.log_level.upper())
    # They would say again, without ids, what is said here, and httpx whole addresses.
    for name in ("uvicorn.access", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return tail


def _formatter(*written: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_foreign(), processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written]
    )


def _foreign() -> Sequence[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.format_exc_info,
        _traced,
        _masked,
    ]


def _traced(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.update(origin().ids())
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"], event["span_id"] = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    return event


def _named(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Rename what structlog calls otherwise than the platform's readers expect."""
    told = {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "module": event.pop("logger")}
    event.pop("_ray_timestamp_ns", None)
    return {**told, "message": event.pop("event"), **event}


def _masked(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    kept: dict[str, Any] = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    return {**masked(event), **kept}
