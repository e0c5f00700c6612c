"""Sections of the settings tree: every key with its default, unit, range and meaning.

The text of each field is what `docs/configuration.md` and error messages are made of.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nt_ray.config.values import (
    Amount,
    Blank,
    Currency,
    Day,
    Endpoint,
    Folder,
    Names,
    Number,
    Parameters,
    Penalties,
    Secret,
    SomeNames,
    Text,
    TimeZone,
    Variants,
    Whole,
)


class Section(BaseModel):
    """A table of settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Section):
    """Market data that is traded."""

    source: Text = Field("sp500", description="An embedded data set's name, or the path of a file or folder.")
    symbols: Names = Field((), description="Symbols to trade, in this order; empty trades all.")
    start: Day = Field(None, description="First day used (UTC), included.")
    end: Day = Field(None, description="Last day used (UTC), included.")
    timezone: TimeZone = Field(
        None, description="Time zone of times that are written without one, such as America/New_York."
    )
    extra: Names = Field(
        (), description="Further columns of numbers to keep; those that enabled strategies read are kept anyway."
    )
    adjust: bool = Field(True, description="Scale prices by the adjusted close where the data carry one.")
    missing: Literal["error", "skip"] = Field(
        "error", description="A gap inside a price series: refuse it, or take it for a day without a bar."
    )

    @model_validator(mode="after")
    def _runs_forward(self) -> "Data":
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError(
                f"data.start = {self.start} lies after data.end = {self.end}. "
                "Give a start that is not later than the end."
            )
        return self


class Swarm(Section):
    """How agents are spread, how their opinions travel and how they become one decision."""

    topology: Literal["star", "hierarchical", "ring", "mesh"] = Field(
        "hierarchical", description="How opinions travel between agents."
    )
    rule: Literal["mean", "median", "trimmed", "majority", "hedge"] = Field(
        "mean", description="How opinions combine into one decision."
    )
    hosts: Whole = Field(3, ge=1, le=256, description="Processes that hold the agents.")
    fanout: Whole = Field(4, ge=2, le=64, description="Children of a node in the hierarchical topology.")
    quorum: Number = Field(
        0.67,
        gt=0,
        le=1,
        description="Share of a symbol's agents that must answer, else the decision is hold.",
    )
    deadline_s: Number = Field(30.0, ge=0.01, le=3600, description="Seconds after which a host is silent.")
    on_fault: Literal["stop", "abstain"] = Field(
        "stop",
        description="Where a strategy raises or gives NaN or a number out of range: stop before that bar is traded, "
        "or let the agent abstain and say so at the end.",
    )
    strict: bool = Field(True, description="Replace a dead host and ask again, so that a failure changes no decision.")
    block_bars: Whole = Field(64, ge=1, le=4096, description="Bars decided in one round; 1 is live trading.")
    degree: Whole = Field(8, ge=2, le=64, description="Neighbours of an agent in the mesh topology.")
    epsilon: Number = Field(
        0.01, gt=0, le=0.5, description="Largest difference of estimates at which the mesh stops gossiping."
    )
    trim: Number = Field(0.2, ge=0, lt=0.5, description="Share of opinions that the trimmed rule drops at each end.")
    defer: bool = Field(
        False, description="In the ring, let an agent abstain against a running decision surer than itself."
    )
    group_size: Whole = Field(5, ge=1, le=500, description="Symbols that one agent looks at.")
    max_repairs: Whole = Field(
        5, ge=0, le=100, description="Replacements of a dead host in one round before it is left out."
    )


class Strategies(Section):
    """Which strategies the agents follow."""

    enabled: SomeNames = Field(
        ("momentum", "mean_reversion", "pairs"),
        description="Strategies of the roster, by name.",
    )
    variants: Variants = Field(
        default_factory=dict,
        description="For a strategy, a list of parameter tables, each giving agents of its own; "
        "a strategy without an entry runs its own variants.",
    )

    @model_validator(mode="after")
    def _variants_are_used(self) -> "Strategies":
        known = {*self.enabled, *_default(Strategies, "enabled")}
        for name in self.variants:
            if name not in known:
                raise ValueError(
                    f"strategies.variants.{name} belongs to no enabled strategy ({', '.join(self.enabled)}). "
                    f"Add {name!r} to strategies.enabled, or correct the name."
                )
        return self


class Allocation(Section):
    """How money is spread over what is wanted."""

    method: Literal[
        "volatility",
        "minimum_variance",
        "risk_parity",
        "hrp",
        "herc",
        "min_cvar",
        "mean_variance",
        "max_sharpe",
        "kelly",
    ] = Field("volatility", description="volatility scales each position by its own volatility; others are optimisers.")
    window: Whole = Field(250, ge=20, le=100_000, description="Past bars from which moments are estimated.")
    every: Whole = Field(5, ge=1, le=10_000, description="Bars between two estimates.")
    covariance: Literal["sample", "ewma", "ledoit_wolf", "oas", "denoised"] = Field(
        "ledoit_wolf", description="How the covariance is estimated."
    )
    confidence: Number = Field(
        0.95, gt=0.5, le=0.9999, description="Confidence of the shortfall that min_cvar makes small."
    )
    information_coefficient: Number = Field(
        0.05, gt=0, le=1, description="Correlation of forecast and outcome that a full exposure stands for."
    )
    risk_aversion: Number = Field(4.0, gt=0, le=10_000, description="Risk aversion of mean_variance; kelly has 1.")


class Portfolio(Section):
    """From decided exposures to positions. Weights are fractions of equity."""

    target_volatility: Number = Field(
        0.10, gt=0, le=5, description="Annualised volatility that a full-size position is scaled to."
    )
    max_weight: Number = Field(0.10, gt=0, le=10, description="Largest size of one position.")
    max_gross: Number = Field(1.0, gt=0, le=20, description="Largest sum of the sizes of all positions.")
    max_net: Number = Field(1.0, gt=0, le=20, description="Largest net of long and short positions.")
    rebalance_band: Number = Field(
        0.01,
        ge=0,
        lt=1,
        description="A smaller change of weight is not traded, unless it closes or turns a position.",
    )
    volatility_halflife: Number = Field(
        60.0, gt=0, le=10000, description="Half-life in bars of the volatility estimate."
    )
    allocation: Allocation = Field(default_factory=Allocation)


class Risk(Section):
    """Limits that every order passes before it is sent. Shares are fractions of the account's equity."""

    max_position_size: Amount = Field(
        Decimal(100000), gt=0, description="Largest position in one symbol, in account currency."
    )
    max_order_size: Amount = Field(Decimal(200000), gt=0, description="Largest order, in account currency.")
    max_gross_exposure: Number = Field(2.0, gt=0, le=20, description="Largest sum of position sizes.")
    max_net_exposure: Number = Field(2.0, gt=0, le=20, description="Largest net of long and short.")
    max_concentration: Number = Field(0.25, gt=0, le=20, description="Largest share in one symbol.")
    max_daily_loss: Number = Field(
        0.05, gt=0, le=1, description="Loss within a UTC day at which only reducing orders pass."
    )
    max_drawdown: Number = Field(
        0.35,
        gt=0,
        le=1,
        description="Loss from the highest equity at which trading stops until a person resets it.",
    )
    duplicate_window_s: Annotated[Number | None, Field(ge=0, le=86400), Blank] = Field(
        None,
        description="Seconds within which an equal order of a strategy is refused, 0 allows it; unset takes 1 in a "
        "live account and 0 in a replay.",
    )
    daily_loss_by_hand: bool = Field(
        False, description="Whether a daily loss stops trading until a person resets it, instead of until the next day."
    )
    max_order_quantity: Annotated[Amount | None, Field(gt=0), Blank] = Field(
        None, description="Largest quantity of one order, in units; unset allows any."
    )
    max_volume_share: Annotated[Number | None, Field(gt=0, le=100), Blank] = Field(
        None, description="Largest order as a share of the symbol's average daily volume; unset allows any."
    )
    price_collar: Annotated[Number | None, Field(gt=0, le=100), Blank] = Field(
        None,
        description="How far a limit or stop price may lie from the reference, as a share of it; unset takes 0.2 in a "
        "live account and 0.5 in a replay.",
    )
    max_reference_age_s: Annotated[Number | None, Field(ge=0, le=86400), Blank] = Field(
        None,
        description="Seconds after which a price is too old to open a position on, so that only reductions pass; unset "
        "takes 60 in a live account and any age in a replay.",
    )
    reference_hours: Literal["session", "always"] = Field(
        "session",
        description="Which seconds make a price older: those of New York's sessions, for shares and funds, or all.",
    )
    max_messages: Whole = Field(
        1000,
        ge=1,
        lt=10_000,
        description="Submissions, replacements and cancels of an account within message_window_s.",
    )
    max_strategy_messages: Whole = Field(500, ge=1, lt=10_000, description="The same, of one strategy.")
    message_window_s: Number = Field(1.0, ge=0, le=86400, description="Seconds over which messages are counted.")
    max_executions: Whole = Field(
        5000,
        ge=1,
        lt=10_000,
        description="Executions within execution_window_s after which a strategy is stopped until a person resumes it.",
    )
    execution_window_s: Number = Field(60.0, ge=0, le=86400, description="Seconds over which executions are counted.")
    self_trade: bool = Field(True, description="Whether an order that would meet one of the same account is refused.")
    shorting: bool = Field(True, description="Whether positions may be sold short.")
    fractions: bool = Field(True, description="Whether positions may be opened by fractions or amounts of money.")
    max_heat: Annotated[Number | None, Field(gt=0, le=100), Blank] = Field(
        None,
        description="Largest loss were every position stopped out, unprotected ones counting whole; unset allows any.",
    )
    restricted: Names = Field((), description="Symbols that may not be traded.")
    max_var: Annotated[Number | None, Field(gt=0, le=100), Blank] = Field(
        None,
        description="Largest value at risk of an account over one bar (a day, where live), open orders at their worst; "
        "unset allows any.",
    )
    var_confidence: Number = Field(
        0.95, gt=0.5, le=0.9999, description="Confidence of value at risk and expected shortfall, in reports and gate."
    )
    var_window: Whole = Field(
        500,
        ge=2,
        le=1_000_000,
        description="Past bars that are the scenarios of max_var, or that its model is fitted to.",
    )
    var_model: Literal["historical", "monte_carlo_normal", "monte_carlo_t"] = Field(
        "historical",
        description="What the scenarios of max_var are: the past itself, or 10,000 draws of a model of it.",
    )


class AccountSettings(Section):
    """Money the run starts with."""

    initial_cash: Amount = Field(
        Decimal(100000),
        gt=0,
        le=10_000_000_000,
        decimal_places=2,
        description="Cash at the start, in all accounts together.",
    )
    currency: Currency = Field("USD", description="ISO 4217 code.")
    lots: Literal["average", "fifo", "lifo", "hifo", "specific"] = Field(
        "average", description="Which tax lots a closing trade takes."
    )
    journal: Secret = Field(
        None,
        description="Database of the journals, postgresql://USER:PASSWORD@HOST/DATABASE; unset for files.",
    )


class Ray(Section):
    """The Ray cluster that carries the actors."""

    address: Endpoint = Field(
        None, description="Cluster to join; unset joins RAY_ADDRESS if that is set, else starts a local Ray."
    )
    num_cpus: Annotated[Whole | None, Field(ge=1, le=4096), Blank] = Field(
        None, description="CPUs a local Ray counts with; unset takes the machine's."
    )
    object_store_mb: Whole = Field(200, ge=80, le=1_000_000, description="Shared memory of a local Ray, in MB.")


class S3(Section):
    """How S3 is reached. Credentials are found as boto3 finds them: environment, files, or the machine's role."""

    endpoint: Annotated[Text | None, Blank] = Field(
        None, description="URL of a store that speaks S3's protocol; unset for AWS."
    )
    region: Annotated[Text | None, Blank] = Field(None, description="Region of the bucket; unset for boto3's own.")


class Inference(Section):
    """Forecasts over HTTP (`nt-ray serve inference`)."""

    host: Text = Field("127.0.0.1", description="Address to listen on; it asks nobody who they are.")
    port: Whole = Field(8000, ge=1, le=65_535, description="Port to listen on.")
    preload: Names = Field((), description="Models loaded before the first request: NAME, NAME@ALIAS.")
    alias: Text = Field("champion", description="Alias that a model's name alone stands for.")
    poll_s: Number = Field(1.0, gt=0, description="Seconds between looks at whether aliases have changed.")
    precision: Literal["fp32", "bf16", "int8"] = Field("fp32", description="Arithmetic, where a model's error allows.")
    bound: Number = Field(
        0.01, ge=0, description="Largest growth of the error for less than 32 bits, as a share, on reference windows."
    )
    cache_mb: Whole = Field(1024, ge=1, description="MB of models that a replica holds.")
    largest_batch: Whole = Field(256, ge=1, le=65_536, description="Most windows of a pass; the best is measured.")
    slowest_ms: Number = Field(50.0, gt=0, description="Longest a pass may take, in milliseconds.")
    largest_request_mb: Whole = Field(64, ge=1, description="Largest body of a request, in MB.")
    threads: Whole = Field(1, ge=1, le=256, description="Passes at the same time in a replica, each on one core.")
    gpus: Number = Field(0.0, ge=0, description="GPUs of a replica, or a share of one; 0 forecasts on the CPU.")
    replicas: Whole = Field(1, ge=1, description="Fewest replicas.")
    most_replicas: Whole = Field(0, ge=0, description="Most replicas, as the load asks for them; 0 keeps the fewest.")
    target_requests: Number = Field(8.0, gt=0, description="Requests at once that a replica is meant to have.")
    queue: Whole = Field(1024, ge=1, description="Requests that may wait for a replica; more are refused with 503.")
    throughput: bool = Field(
        False,
        description="Serve through HAProxy, which costs a fraction; its own ports 8404 and 9101 are open on every "
        "interface, so a firewall has to close them.",
    )

    @model_validator(mode="after")
    def _replicas_in_order(self) -> "Inference":
        if 0 < self.most_replicas < self.replicas:
            raise ValueError(f"most_replicas is {self.most_replicas}, below replicas {self.replicas}. Use more or 0.")
        return self


class Training(Section):
    """How `nt-ray train`, `tune` and `evaluate` train a network; parameters of the network are given with `--param`."""

    target: Literal["close", "log_close", "returns"] = Field(
        "close", description="What is forecast: closes, their logarithms, or changes of these."
    )
    past: Names = Field((), description="Inputs known up to their own bar: volume or other fields of the bars.")
    future: Names = Field(
        (),
        description="Inputs known in advance: minute, hour, weekday, day, day_of_year, month, quarter, or further "
        "fields of the bars.",
    )
    lookback: Whole = Field(96, ge=1, description="Bars a window looks back.")
    horizon: Whole = Field(24, ge=1, description="Bars a window forecasts.")
    head: Literal["mse", "mae", "huber", "quantile", "student_t"] = Field(
        "quantile", description="What the outputs mean; quantile and student_t give intervals by themselves."
    )
    scaling: Literal["none", "standard", "robust", "last", "fold"] = Field(
        "standard", description="Scale of the target: none, of each window's past, or of the training bars (fold)."
    )
    solver: Literal["steps", "ridge"] = Field(
        "steps",
        description="Steps along the gradient, or the weights of rlinear in closed form (ridge), which takes the head "
        "mse whatever head says.",
    )
    penalties: Penalties = Field(
        (0.1, 0.3, 1.0, 3.0), description="Penalties of ridge, of which the one that validates best is kept."
    )
    batch: Whole = Field(64, ge=1, description="Windows of one step, over all workers together.")
    steps: Whole = Field(800, ge=1, description="Steps of training.")
    lr: Number = Field(1e-3, gt=0, description="Learning rate; the highest one where it changes.")
    schedule: Literal["constant", "cosine", "halving", "one_cycle"] = Field(
        "cosine", description="Course of the learning rate."
    )
    warmup: Whole = Field(0, ge=0, description="First steps, in which the learning rate grows from zero.")
    weight_decay: Number = Field(0.0, ge=0, description="Decoupled weight decay.")
    clip: Number = Field(1.0, ge=0, description="Largest norm of the gradient; 0 does not clip.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Arithmetic of the forward pass.")
    validation: Number = Field(0.1, ge=0, le=0.5, description="Last share of the bars, kept for validation.")
    validate_every: Whole = Field(100, ge=0, description="Steps between validations; 0 never validates.")
    validation_windows: Whole = Field(2048, ge=1, description="Most windows of one validation, evenly spread.")
    patience: Whole = Field(0, ge=0, description="Validations without a better one that end training; 0: none do.")
    purge: Whole = Field(0, ge=0, description="Bars left out between training and validation.")
    unfit: Literal["error", "skip"] = Field(
        "error", description="A series too short, constant or without values: refuse it, or train without it."
    )
    workers: Annotated[Text, Field(pattern=r"^\d{1,4}(:\d{1,4})?$")] = Field(
        "0", description="Workers on Ray, or their least and most number as 2:4; 0 trains in this process."
    )
    shards: Whole = Field(
        0,
        ge=0,
        le=100_000,
        description="Parts that the series are cut into, each held by one worker alone; 0 gives every worker all.",
    )
    gpu: bool = Field(
        False,
        description="Train on GPUs, one a worker or trial; in evaluations, searches and forecasts of strategies too.",
    )
    threads: Whole = Field(
        1, ge=1, le=256, description="Threads of a training in this process; more than 1 pays for wide networks alone."
    )
    checkpoint_s: Number = Field(30.0, ge=0, description="Seconds between checkpoints; 0: time makes none.")
    checkpoint_steps: Whole = Field(
        0, ge=0, description="Steps between checkpoints, in whole readings of 50; 0: steps make none but the last."
    )
    failures: Whole = Field(3, ge=0, description="Deaths of workers that a training puts up with.")


class Forecasting(Section):
    """The forecasts that a strategy trades where the data have no column `forecast`, trained as time goes on."""

    model: Text = Field("dlinear", description="Network, as in `nt-ray models kinds`.")
    parameters: Parameters = Field(
        default_factory=dict, description="Parameters of the network; those left out keep their defaults."
    )
    lookback: Whole = Field(60, ge=1, le=10_000, description="Returns that a forecast looks back on.")
    horizon: Whole = Field(1, ge=1, le=252, description="Bars that a forecast looks ahead; the strategy's own horizon.")
    past: Names = Field((), description="Inputs known up to their own bar, as in neural.training.past.")
    future: Names = Field((), description="Inputs known in advance, as in neural.training.future.")
    train_rows: Whole = Field(1260, ge=2, description="Bars before the first fit; until then there is no forecast.")
    refit_every: Whole = Field(252, ge=1, description="Bars from one fit to the next.")
    anchored: bool = Field(True, description="Fit on all bars so far; otherwise on the last train_rows.")
    steps: Whole = Field(300, ge=1, description="Steps of training of each fit.")
    batch: Whole = Field(1024, ge=1, description="Windows of one step.")
    lr: Number = Field(0.005, gt=0, le=1, description="Highest learning rate; it falls along a cosine.")
    cache_mb: Whole = Field(
        256,
        ge=0,
        le=1_000_000,
        description="MB of forecasts that are kept beside the runs; the oldest in use go first.",
    )


class Neural(Section):
    """Trained models."""

    registry: Text = Field("models", description="Where registered models lie: a folder, or s3://BUCKET/PREFIX.")
    cache: Folder = Field(Path("models/.cache"), description="Folder of this machine's copies of registered models.")
    s3: S3 = Field(default_factory=S3)
    forecast: Forecasting = Field(default_factory=Forecasting)
    training: Training = Field(default_factory=Training)
    inference: Inference = Field(default_factory=Inference)


def _default(section: type[Section], key: str) -> Any:
    return section.model_fields[key].default
