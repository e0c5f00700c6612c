"""What tools take and answer: strict models, bounded fields, and figures that JSON can hold.

A tool that does what a route of the gateway does takes the route's own model, extended by what only the tool has
(`deployments.gateway.mcp.twin`); the models here are for the others. An input refuses unknown fields and wrong types;
nothing is coerced. An output never holds NaN or an infinity: a figure that is undefined is absent (`null`).
"""

import math
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from nt_ray.trader.jobs.spec import Name, Symbol

EmbeddedData: TypeAlias = Literal["sp500", "sp500-index", "indices", "stocks"]
Symbols: TypeAlias = Annotated[tuple[Symbol, ...], Field(max_length=100)]
StrategyName: TypeAlias = Annotated[
    Name, Field(description="Name or alias of a strategy of the platform, as list_strategies gives them.")
]
"""Never the name of a file: a strategy of one's own is code, and code does not come through this door."""
Account: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]{0,23}$", description="Account, as get_portfolio_status names them.")
]
RunName: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$", description="Run, as nt://runs lists them, or latest.")
]
Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Positive: TypeAlias = Annotated[Decimal, Field(gt=0, le=1_000_000_000, allow_inf_nan=False)]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Figure: TypeAlias = Annotated[float | None, BeforeValidator(_finite)]
"""A number, or null where it is undefined."""
Money: TypeAlias = Annotated[Decimal, PlainSerializer(lambda value: f"{value:f}", return_type=str)]
"""An exact amount, as text."""


class Input(BaseModel):
    """Arguments of a tool."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Output(BaseModel):
    """Answer of a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Input):
    """No arguments."""


class OfData(Input):
    """Which bars are looked at: the server's own, or an embedded data set."""

    source: EmbeddedData | None = Field(None, description="An embedded data set; the server's own data if left out.")
    start: date | None = Field(None, description="First day.")
    end: date | None = Field(None, description="Last day, included.")
