"""Section `[gateway]`: where the gateway listens, how many replicas answer, and what it puts up with."""

from ipaddress import ip_address
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
    sockets_per_user: Whole = Field(
        100, ge=1, le=100_000, description="Streams that a user has open at once, of whichever kind, in each replica."
    )
    sockets_per_address: Whole = Field(
        500, ge=1, le=100_000, description="Connections to streams from one address at once, in each replica."
    )
    largest_body_kb: Whole = Field(1024, ge=1, le=1_048_576, description="Largest body of a request, in KiB.")
    request_s: Number = Field(
        75.0, gt=0, le=3600, description="Seconds within which a request has to be read and its answer begin."
    )
    drain_s: Number = Field(20.0, ge=0, le=3600, description="Seconds that a replica which ends has for its requests.")
    origins: Origins = Field((), description="Origins of web pages that may call the gateway (CORS).")
    throughput: bool = Field(
        False,
        description="Serve through HAProxy, several times as fast, on a loopback address alone; its own ports 8404 and "
        "9101 are open on every interface, so a firewall has to close them.",
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

    @model_validator(mode="after")
    def _knows_its_callers(self) -> "Gateway":
        # HAProxy does not say whom a request came from: all the world would count, and be trusted, as this machine.
        if self.throughput and not _is_loopback(self.host):
            raise ValueError(
                f"gateway.throughput cannot serve {self.host!r}, since HAProxy hides who calls. Listen on 127.0.0.1 "
                "with a proxy in front and gateway.hops = 1, or unset gateway.throughput."
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
