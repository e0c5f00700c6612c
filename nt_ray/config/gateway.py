"""Section `[gateway]`: where the gateway listens, how many replicas answer, and what it puts up with."""

from typing import Annotated

from pydantic import Field, model_validator

from nt_ray.config.sections import Section
from nt_ray.config.values import Accepts, Names, Number, Text, Whole

Origins = Annotated[Names, Accepts("schemes with hosts, without a path")]


class Gateway(Section):
    """The gateway: the door for people, their tools and their programs."""

    host: Text = Field(
        "127.0.0.1", description="Address to listen on; put a proxy that speaks TLS in front of any other."
    )
    port: Whole = Field(8080, ge=1, le=65_535, description="Port to listen on.")
    replicas: Whole = Field(2, ge=1, le=256, description="Processes that answer; they keep no state of their own.")
    concurrency: Whole = Field(
        1000, ge=1, le=100_000, description="Requests and connections that one replica serves at once."
    )
    accounts: Names = Field((), description="Venues of [brokers] whose accounts start with the gateway.")
    symbols: Names = Field((), description="Symbols that those accounts trade, beside those they hold.")
    largest_body_kb: Whole = Field(1024, ge=1, le=1_048_576, description="Largest body of a request, in KiB.")
    request_s: Number = Field(
        75.0, gt=0, le=3600, description="Seconds within which a request has to be read and its answer begin."
    )
    drain_s: Number = Field(20.0, ge=0, le=3600, description="Seconds that a replica which ends has for its requests.")
    origins: Origins = Field((), description="Origins of web pages that may call the gateway (CORS).")
    throughput: bool = Field(
        False,
        description="Serve through HAProxy, several times as fast; it opens ports 8404 and 9101 on every interface, "
        "which a firewall has to close.",
    )
    hops: Whole = Field(
        0,
        ge=0,
        le=10,
        description="Proxies in front that append to X-Forwarded-For; 0 takes the connection's own address.",
    )

    @model_validator(mode="after")
    def _are_origins(self) -> "Gateway":
        for origin in self.origins:
            scheme, found, host = origin.partition("://")
            if scheme not in ("http", "https") or not found or not host or "/" in host or "*" in host:
                raise ValueError(
                    f"gateway.origins holds {origin!r}, which is no origin. Give scheme and host, without a path."
                )
        return self
