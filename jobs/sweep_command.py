"""`nt-ray sweep`: a strategy over many combinations of parameters, ranked."""

from datetime import UTC, datetime, time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.options import (
    AsJson,
    Cash,
    ConfigFile,
    End,
    Progress,
    Runs,
    Seed,
    SetValues,
    Source,
    Start,
    Symbols,
    help_text,
    overrides_from,
)
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.backtest.sweep.space import Space
    from nt_ray.brokers.simulated.matching import Costs
    from nt_ray.config import Settings
    from nt_ray.market.bars import BarPanel

SWEEP_HELP = help_text(
    "Backtest a strategy for every combination of parameters, each symbol (or group of symbols) an account of its own, "
    "and rank them. Parameters that are not named keep their defaults. The same sweep continues where it was "
    "interrupted.",
    "nt-ray sweep momentum --param lookback=10:200:10 --param entry=0.5,1,1.5 --data sp500 --top 20",
    "nt-ray sweep sma_cross --param fast=5:45 --param slow=50:200:10 --random 200 --seed 3 --metric sortino --json",
    "nt-ray sweep pairs --param lookback=60,120,250 --symbols KO,PEP --bps 1",
)

Name: TypeAlias = Annotated[str, typer.Argument(metavar="STRATEGY", help="A strategy's name or alias.")]
Params: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUES", help="Values 1,2,3 or low:high:step, ends included; repeat it."),
]
Draws: TypeAlias = Annotated[
    int | None, typer.Option("--random", metavar="N", help="Draw N combinations of the grid, or of all ranges.")
]
Metric: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="What combinations are ranked by.")]
Top: TypeAlias = Annotated[int, typer.Option(metavar="N", min=1, help="How many are shown.")]
Chunk: TypeAlias = Annotated[int | None, typer.Option(metavar="N", help="Combinations to a task; changes no result.")]
Memory: TypeAlias = Annotated[int, typer.Option("--memory", metavar="MB", min=1, help="Most memory of the result.")]
Resume: TypeAlias = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Continue from finished chunks, or start anew.")
]
Bps: TypeAlias = Annotated[
    str | None, typer.Option("--bps", metavar="BPS", help="Commission in basis points; 1 where it is not given.")
]
Sized: TypeAlias = Annotated[
    bool, typer.Option("--sized", help="Size as [portfolio] says; else the target of a vote is the position's weight.")
]


def sweep(
    strategy: Name,
    param: Params = None,
    random: Draws = None,
    metric: Metric = "sharpe",
    top: Top = 20,
    bps: Bps = None,
    sized: Sized = False,
    chunk: Chunk = None,
    memory: Memory = 1024,
    resume: Resume = True,
    config: ConfigFile = None,
    source: Source = None,
    symbols: Symbols = None,
    start: Start = None,
    end: End = None,
    cash: Cash = None,
    seed: Seed = None,
    runs: Runs = None,
    set_values: SetValues = None,
    as_json: AsJson = False,
    progress: Progress = True,
) -> int:
    """Sweep as the options, the environment and the file say."""
    named = {
        "data.source": source,
        "data.symbols": symbols,
        "data.start": start,
        "data.end": end,
        "account.initial_cash": cash,
        "seed": seed,
        "runs": runs,
    }
    from nt_ray.config import load_settings

    settings = load_settings(config, overrides_from(named, set_values))
    from jobs import sweep as job
    from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE, SweepPlan
    from nt_ray.strategies.registry import find
    from nt_ray.trader.planning import sizing_params

    plan = SweepPlan(
        _panel(settings),
        find(strategy),
        _space(param, random, settings.seed),
        _costs(bps),
        settings.account.initial_cash,
        sizing_params(settings) if sized else TARGET_EXPOSURE,
    )
    ray = settings.ray
    options = job.SweepOptions(
        runs=settings.runs,
        metric=metric,
        top=top,
        chunk=chunk,
        resume=resume,
        memory_mb=memory,
        address=ray.address,
        num_cpus=ray.num_cpus,
        object_store_mb=ray.object_store_mb,
    )
    return job.run(plan, options, as_json=as_json, progress=progress)


def _panel(settings: "Settings") -> "BarPanel":
    """Load the bars that `[data]` names."""
    from nt_ray.market.source import load_panel

    data = settings.data
    return load_panel(
        data.source,
        symbols=data.symbols or None,
        start=None if data.start is None else datetime.combine(data.start, time.min, UTC),
        end=None if data.end is None else datetime.combine(data.end, time.max, UTC),
        timezone=data.timezone,
        adjust=data.adjust,
        missing=data.missing,
    )


def _space(param: list[str] | None, random: int | None, seed: int) -> "Space":
    from nt_ray.backtest.sweep.space import Grid, Random, SweepError

    grid = Grid.parse(param) if param else None
    if random is not None:
        return Random(random, seed, grid)
    if grid is None:
        raise SweepError("No parameter is varied. Give --param lookback=20:200:20, or --random 100.")
    return grid


def _costs(bps: str | None) -> "Costs":
    from nt_ray.brokers.simulated.matching import Costs

    if bps is None:
        return Costs()
    try:
        return Costs(commission_bps=Decimal(bps))
    except InvalidOperation:
        raise BadInputError(f"--bps {bps} is no number. Write it like --bps 0.5.") from None
