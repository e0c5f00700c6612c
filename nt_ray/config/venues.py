"""Section `[brokers]`: which venues are used, what trading at each costs and how capital is shared."""

import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from nt_ray.config.sections import Section
from nt_ray.config.values import Amount, Blank, Classes, Number, Secret, SomeNames, Spans, Text, Whole
from nt_ray.errors import ConfigError

VENUE_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
"""A venue's name is a part of client order ids, so it is short and plain."""

_SHARE_STEP = Decimal("1e-8")

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "sim-east": {"commission_bps": "1"},
    "sim-west": {"commission_bps": "2"},
}
"""Venues that exist without a table of their own, and what sets them apart."""


class Venue(Section):
    """One venue. Basis points come in steps of 0.01."""

    kind: Literal["simulated", "alpaca"] = Field("simulated", description="What stands behind the name.")
    key: Secret = Field(None, description="Key of the account at a real venue.")
    secret: Secret = Field(None, description="Secret of that key.")
    url: Annotated[Text | None, Blank] = Field(
        None, description="Host of a real venue's trading interface; unset takes the one for paper trading."
    )
    data_url: Annotated[Text | None, Blank] = Field(
        None, description="Host of its market data; unset takes the venue's own."
    )
    requests_per_minute: Annotated[Whole | None, Field(ge=4, le=1_000_000), Blank] = Field(
        None,
        description="Requests that a real venue's key may make in a minute, a tenth of them kept for cancels and a "
        "quarter for orders; unset takes what the venue allows, and never more.",
    )
    connections: Whole = Field(
        12,
        ge=3,
        le=100,
        description="Connections to a real venue that a key may hold at once, two of them for cancels.",
    )
    capital_share: Annotated[Amount | None, Field(gt=0, le=1), Blank] = Field(
        None, description="Share of the initial cash; venues without one share what is left equally."
    )
    commission_bps: Amount = Field(
        Decimal(1), ge=0, le=1000, decimal_places=2, description="Basis points of each execution's notional."
    )
    commission_per_unit: Amount = Field(
        Decimal(0), ge=0, le=1000, decimal_places=8, description="Account currency for each unit of quantity."
    )
    commission_minimum: Amount = Field(
        Decimal(0), ge=0, le=10000, decimal_places=8, description="Least that one execution costs."
    )
    slippage_bps: Amount = Field(
        Decimal(1),
        ge=0,
        le=1000,
        decimal_places=2,
        description="Basis points of the price lost by a market order.",
    )
    volume_share: Amount = Field(
        Decimal("0.1"),
        gt=0,
        le=1,
        decimal_places=6,
        description="Largest share of a bar's volume that one order takes.",
    )
    asset_classes: Classes = Field((), description="Asset classes that are traded here; empty for all.")
    latency_ms: Number = Field(0.0, ge=0, le=60_000, description="Usual time to an answer, for routing to the fastest.")
    outage: Spans = Field(
        (),
        description="Drills: pairs of first and last bar, counted from 0, between which the venue is down.",
    )


class Brokers(Section):
    """Venues in use; each has a table `[brokers.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Venue]

    enabled: SomeNames = Field(
        ("sim-east", "sim-west"),
        description="Venues in use, in order of preference.",
    )
    routing: Literal["shares", "cheapest", "fastest"] = Field(
        "shares",
        description="Where orders go: shared out by capital, or to the venue of least cost or latency.",
    )
    look_s: Number = Field(
        30.0,
        ge=1,
        le=3600,
        description="Seconds between two looks of the broker pool after live accounts, 20 % jitter.",
    )
    circuit_failures: Whole = Field(
        2, ge=1, le=100, description="Failures in a row after which no order is routed to a live account."
    )
    circuit_probe_s: Number = Field(
        5.0, gt=0, le=3600, description="Seconds until a live account that is left out is tried again."
    )
    circuit_backoff: Number = Field(
        2.0, ge=1, le=10, description="By how much that time grows with each attempt that fails."
    )
    circuit_longest_s: Number = Field(300.0, gt=0, le=86_400, description="Longest that it grows to.")

    @model_validator(mode="before")
    @classmethod
    def _with_built_in(cls, values: Any) -> Any:
        """Put what the user gave for a built-in venue over its own table."""
        if not isinstance(values, Mapping):
            return values
        merged = dict(values)
        for name, table in BUILT_IN.items():
            given = merged.get(name, {})
            if isinstance(given, Mapping):
                merged[name] = {**table, **given}
        return merged

    @model_validator(mode="after")
    def _fits(self) -> "Brokers":
        tables = self.model_extra or {}
        for name in (*self.enabled, *tables):
            if not VENUE_NAME.fullmatch(name):
                raise ValueError(
                    f"brokers: {name!r} is no venue name. Use a lower-case letter, then up to 23 of a-z, 0-9 and -."
                )
        for name in self.enabled:
            if name not in tables:
                raise ValueError(f"brokers.enabled names {name}, which has no table. Add [brokers.{name}].")
        for name in tables:
            if name not in self.enabled and name not in BUILT_IN:
                raise ValueError(
                    f"brokers.{name} is not in brokers.enabled ({', '.join(self.enabled)}). "
                    "Enable it, or correct or remove the table."
                )
        self._check_shares()
        return self

    def _check_shares(self) -> None:
        given = [self.table(name).capital_share for name in self.enabled]
        total = sum((share for share in given if share is not None), Decimal(0))
        if (total != 1) if None not in given else (total >= 1):
            raise ValueError(
                f"The capital_share values of the enabled brokers sum to {total}. "
                "Make them sum to 1, or leave all unset for equal shares."
            )

    def table(self, name: str) -> Venue:
        """Return the table of a venue that is enabled or built in."""
        tables = self.model_extra or {}
        if name not in tables:
            raise ConfigError(f"There is no venue {name!r}. Known: {', '.join(tables)}.")
        venue: Venue = tables[name]
        return venue

    def shares(self) -> dict[str, Decimal]:
        """Capital share of each enabled venue, in order of preference; they sum to 1 exactly."""
        given = {name: self.table(name).capital_share for name in self.enabled}
        unset = [name for name, share in given.items() if share is None]
        rest = 1 - sum((share for share in given.values() if share is not None), Decimal(0))
        equal = (rest / len(unset)).quantize(_SHARE_STEP, ROUND_DOWN) if unset else Decimal(0)
        shares = {name: equal if share is None else share for name, share in given.items()}
        if unset:
            shares[unset[0]] += rest - equal * len(unset)
        return shares
