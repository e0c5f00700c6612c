"""What may be asked of a job, kind by kind: closed to unknown fields, every size bounded.

Strategies and data are named, never given as files: a job works with what the platform has, so no request reads a path
or runs code of the caller's. What a name means is checked by `nt_ray.trader.jobs.reading` before a job is taken.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

MOST_SYMBOLS: Final = 500
MOST_PARAMETERS: Final = 64
MOST_VALUES: Final = 10_000

Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Symbol: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9^][A-Z0-9.^=_/-]{0,23}$")]
Number: TypeAlias = Annotated[float, AllowInfNan(False)]
Money: TypeAlias = Annotated[Decimal, Field(gt=0, le=10_000_000_000, decimal_places=2, examples=["100000.00"])]
Bps: TypeAlias = Annotated[Decimal, Field(ge=0, le=10_000, max_digits=12, examples=["0.5"])]
Parameters: TypeAlias = Annotated[dict[Name, Number], Field(max_length=MOST_PARAMETERS)]
Seed: TypeAlias = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Asked(BaseModel):
    """What every kind of job may say about the data it works on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Name | None = Field(None, description="An embedded data set; none for that of the settings.")
    symbols: list[Symbol] = Field([], max_length=MOST_SYMBOLS, description="Symbols; empty takes all.")
    start: date | None = Field(None, description="First day used (UTC), included.")
    end: date | None = Field(None, description="Last day used (UTC), included.")
    cash: Money | None = Field(None, description="Cash at the start; none for that of the settings.")
    seed: Seed | None = Field(None, description="Seed of everything random; none for that of the settings.")


class Backtest(Asked):
    """A strategy in the event simulator."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "backtest", "strategy": "momentum", "parameters": {"lookback": 120}, "symbols": ["KO", "PEP"]}
            ]
        }
    )

    kind: Literal["backtest"]
    strategy: Name
    parameters: Parameters = Field({}, description="Parameters; those left out keep their defaults.")
    sizing: Literal["portfolio", "target"] = Field("portfolio", description="As [portfolio] says, or target = weight.")
    commission_bps: Bps | None = Field(None, description="Of the notional; none for that of the first broker.")
    slippage_bps: Bps | None = Field(None, description="Of market and stop orders; none for the first broker's.")


class Sweep(Asked):
    """A strategy over many combinations of parameters."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "sweep", "strategy": "sma_cross", "grid": {"fast": [5, 10, 20], "slow": [50, 100]}, "top": 5}
            ]
        }
    )

    kind: Literal["sweep"]
    strategy: Name
    grid: dict[Name, Annotated[list[Number], Field(min_length=1, max_length=MOST_VALUES)]] = Field(
        {}, max_length=MOST_PARAMETERS, description="Values of each parameter; every combination is run."
    )
    random: int | None = Field(None, ge=1, le=1_000_000, description="Draw so many, of the grid or of all ranges.")
    metric: Name = Field("sharpe", description="What combinations are ranked by.")
    top: int = Field(20, ge=1, le=1000, description="How many stand in the result.")
    commission_bps: Bps = Field(Decimal(1), description="Of the notional.")
    sized: bool = Field(False, description="Size as [portfolio] says; else the target is the weight.")


class SwarmRun(Asked):
    """A swarm of agents that paper-trades the data, on Ray."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "run", "strategies": ["momentum"], "topology": "star", "hosts": 2}]}
    )

    kind: Literal["run"]
    strategies: list[Name] = Field([], max_length=16, description="Strategies of the agents; empty: the settings'.")
    topology: Literal["star", "hierarchical", "ring", "mesh"] | None = Field(None, description="How opinions travel.")
    rule: Literal["mean", "median", "trimmed", "majority", "hedge"] | None = Field(None, description="How they join.")
    hosts: int | None = Field(None, ge=1, le=16, description="Processes that hold the agents.")


class Train(Asked):
    """The training of a network."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "train", "model": "dlinear", "steps": 200, "register_as": "drinks"}]}
    )

    kind: Literal["train"]
    model: Name
    parameters: Parameters = Field({}, description="Parameters of the network; those left out keep their defaults.")
    target: Literal["close", "log_close", "returns"] | None = Field(None, description="What is forecast.")
    lookback: int | None = Field(None, ge=1, le=10_000, description="Bars a window looks back.")
    horizon: int | None = Field(None, ge=1, le=1000, description="Bars a window forecasts.")
    steps: int | None = Field(None, ge=1, le=1_000_000, description="Steps of training.")
    register_as: Name | None = Field(None, description="Store the model as the next version of this name.")


Spec: TypeAlias = Annotated[Backtest | Sweep | SwarmRun | Train, Field(discriminator="kind")]

SPEC: Final[TypeAdapter[Backtest | Sweep | SwarmRun | Train]] = TypeAdapter(Spec)
"""Reads a job from data."""
