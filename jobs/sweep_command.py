"""`nt-ray sweep`: a strategy over many combinations of parameters, ranked."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.options import AsJson, Params, Progress, amount, by_settings, by_strategy, help_text

if TYPE_CHECKING:
    from nt_ray.backtest.sweep.space import Space
    from nt_ray.config import Settings

SWEEP_HELP = help_text(
    "Backtest a strategy for every combination of parameters, each symbol (or group of symbols) an account of its own, "
    "and rank them. Parameters that are not named keep their defaults. The same sweep continues where it was "
    "interrupted.",
    "nt-ray sweep momentum --param lookback=10:200:10 --param entry=0.5,1,1.5 --data sp500 --top 20",
    "nt-ray sweep sma_cross --param fast=5:45 --param slow=50:200:10 --random 200 --seed 3 --metric sortino --json",
    "nt-ray sweep pairs --param lookback=60,120,250 --symbols KO,PEP --bps 1",
    "nt-ray sweep sma_cross --param fast=5:200 --param slow=50:400 --ray",
)

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

OnRay: TypeAlias = Annotated[
    bool,
    typer.Option("--ray", help="Spread chunks over a local Ray; without it over threads, or the Ray of RAY_ADDRESS."),
]


@by_settings()
@by_strategy
def sweep(
    settings: "Settings",
    strategy: str,
    param: Params = None,
    random: Draws = None,
    metric: Metric = "sharpe",
    top: Top = 20,
    bps: Bps = None,
    sized: Sized = False,
    chunk: Chunk = None,
    memory: Memory = 1024,
    resume: Resume = True,
    on_ray: OnRay = False,
    as_json: AsJson = False,
    progress: Progress = True,
) -> int:
    """Sweep as the options, the environment and the file say."""
    from jobs import sweep as job
    from jobs.progress import fitting
    from nt_ray.backtest.sweep.plan import TARGET_EXPOSURE, SweepPlan
    from nt_ray.brokers.simulated.matching import Costs
    from nt_ray.strategies.registry import find
    from nt_ray.trader.data import load_for
    from nt_ray.trader.planning import sizing_params

    found = find(strategy)
    with fitting(shown=progress, as_json=as_json) as on_fit:
        panel = load_for(settings, strategy, found.inputs, on_fit=on_fit).panel
    plan = SweepPlan(
        panel,
        found,
        _space(param, random, settings.seed),
        Costs(commission_bps=Decimal(1) if bps is None else amount("--bps", bps)),
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
        on_ray=on_ray,
        address=ray.address,
        num_cpus=ray.num_cpus,
        object_store_mb=ray.object_store_mb,
    )
    return job.run(plan, options, as_json=as_json, progress=progress)


def _space(param: list[str] | None, random: int | None, seed: int) -> "Space":
    from nt_ray.backtest.sweep.space import Grid, Random, SweepError

    grid = Grid.parse(param) if param else None
    if random is not None:
        return Random(random, seed, grid)
    if grid is None:
        raise SweepError("No parameter is varied. Give --param lookback=20:200:20, or --random 100.")
    return grid
