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
MOST_INPUTS: Final = 16
MOST_VALUES: Final = 10_000

Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Symbol: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9^][A-Z0-9.^=_/-]{0,23}$")]
Number: TypeAlias = Annotated[float, AllowInfNan(False)]
Money: TypeAlias = Annotated[Decimal, Field(gt=0, le=10_000_000_000, decimal_places=2, examples=["100000.00"])]
Bps: TypeAlias = Annotated[Decimal, Field(ge=0, le=10_000, max_digits=12, examples=["0.5"])]
Parameters: TypeAlias = Annotated[dict[Name, Number], Field(max_length=MOST_PARAMETERS)]
Inputs: TypeAlias = Annotated[list[Name], Field(max_length=MOST_INPUTS, examples=[["volume"]])]
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


class Forecasts(BaseModel):
    """The network whose forecasts a strategy trades where the bars hold none; what is left out is as configured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Name | None = Field(None, description="Kind of network.")
    lookback: int | None = Field(None, ge=1, le=10_000, description="Returns that a forecast looks back on.")
    horizon: int | None = Field(None, ge=1, le=252, description="Bars that a forecast looks ahead.")
    train_rows: int | None = Field(None, ge=2, le=1_000_000, description="Bars before the first fit.")
    refit_every: int | None = Field(None, ge=1, le=1_000_000, description="Bars from one fit to the next.")
    steps: int | None = Field(None, ge=1, le=1_000_000, description="Steps of training of each fit.")


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
    forecasts: Forecasts | None = Field(None, description="For a strategy that trades forecasts; none: as configured.")


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
    slippage_bps: Bps = Field(Decimal(0), description="Of the notional.")
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


class Learn(Asked):
    """What every kind of job may say about the training of a network; what is left out is as configured."""

    model: Name
    target: Literal["close", "log_close", "returns"] | None = Field(None, description="What is forecast.")
    past: Inputs | None = Field(None, description="Inputs known up to their own bar: fields of the bars, as volume.")
    future: Inputs | None = Field(
        None, description="Inputs known in advance: minute, hour, weekday, day, day_of_year, month or quarter."
    )
    lookback: int | None = Field(None, ge=1, le=10_000, description="Bars a window looks back.")
    horizon: int | None = Field(None, ge=1, le=1000, description="Bars a window forecasts.")
    steps: int | None = Field(None, ge=1, le=1_000_000, description="Steps of training.")
    batch: int | None = Field(None, ge=1, le=4096, description="Windows of a step.")
    lr: float | None = Field(None, gt=0.0, le=1.0, description="Highest learning rate.")
    validation: float | None = Field(None, ge=0.0, le=0.5, description="Last share of the rows, kept for validation.")


class Train(Learn):
    """The training of a network."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "train", "model": "dlinear", "steps": 200, "register_as": "drinks"}]}
    )

    kind: Literal["train"]
    parameters: Parameters = Field({}, description="Parameters of the network; those left out keep their defaults.")
    register_as: Name | None = Field(None, description="Store the model as the next version of this name.")


class Search(Learn):
    """A search for a network's parameters: candidates drawn evenly, each trained, ranked by their validation."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "search", "model": "dlinear", "ranges": {"lr": [0.0001, 0.01]}, "trials": 20}]
        }
    )

    kind: Literal["search"]
    ranges: dict[Name, tuple[Number, Number]] = Field(
        {}, max_length=16, description="Lowest and highest value by parameter; lr and weight_decay if left out."
    )
    trials: int = Field(10, ge=1, le=1000, description="Candidates.")


class Comparison(Asked):
    """Strategies backtested on the same bars with the same sizing and costs, and ranked."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "comparison", "strategies": ["momentum", "mean_reversion"], "symbols": ["KO", "PEP"]}]
        }
    )

    kind: Literal["comparison"]
    strategies: list[Name] = Field(
        [], max_length=64, description="Strategies with their defaults; empty: each that needs bars alone."
    )
    metric: Literal["sharpe", "sortino", "calmar", "cagr", "total_return"] = Field(
        "sharpe", description="What they are ranked by."
    )
    last: int | None = Field(None, ge=20, le=100_000, description="Only so many bars, the newest.")


class Benchmark(Asked):
    """Backtests of a strategy that are timed by wall clock on the machine that does the job."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "benchmark", "strategy": "momentum", "repeats": 5}]}
    )

    kind: Literal["benchmark"]
    strategy: Name
    repeats: int = Field(5, ge=2, le=100, description="Backtests that are timed, after one that is not.")


AnySpec: TypeAlias = Backtest | Sweep | SwarmRun | Train | Search | Comparison | Benchmark

Spec: TypeAlias = Annotated[AnySpec, Field(discriminator="kind")]

SPEC: Final[TypeAdapter[AnySpec]] = TypeAdapter(Spec)
"""Reads a job from data."""
