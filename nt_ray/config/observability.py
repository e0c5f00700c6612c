"""Section `[observability]`: what the gateway tells of itself, to whom, and where traces go."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from nt_ray.config.sections import Section
from nt_ray.config.values import Accepts, Blank, Number, Whole

Collector = Annotated[
    Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/\S*)?$")] | None,
    Blank,
    Accepts("an address such as http://127.0.0.1:4318"),
]


class Observability(Section):
    """What the gateway tells of itself: metrics, logs and traces."""

    metrics: Literal["loopback", "everybody", "nobody"] = Field(
        "loopback",
        description="Who reads /metrics without a credential; all others need one with system:read.",
    )
    log_format: Literal["json", "text"] = Field("json", description="How lines of the log are written.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_requests: Literal["all", "failed", "none"] = Field(
        "failed",
        description="Requests and WebSockets with a line in the log; failed: answered 400 and above, or broken off.",
    )
    slow_s: Number = Field(
        1.0,
        gt=0,
        le=3600,
        description="Seconds until an answer begins after which a request has a line, at level warning.",
    )
    log_tail: Whole = Field(500, ge=0, le=100_000, description="Newest lines that the dashboard can show.")
    otlp: Collector = Field(
        None, description="Collector of OpenTelemetry traces (OTLP over HTTP); unset traces nothing."
    )
    trace_share: Number = Field(1.0, gt=0, le=1, description="Share of traces that begin here and are kept.")
