"""`nt-ray train`: train a network on market data."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.options import AsJson, Progress, Values, by_settings, help_text

if TYPE_CHECKING:
    from nt_ray.config import Settings

TRAIN_HELP = help_text(
    "Train a network on market data. The folder of the run takes the model, its losses as a page and the checkpoints; "
    "the same command again goes on from the newest checkpoint, with the very weights of a run that never stopped. "
    "`nt-ray models kinds` lists the networks; every key of [neural.training] can be set.",
    "nt-ray train dlinear",
    "nt-ray train lstm --symbols AAPL,MSFT --target returns --lookback 60 --horizon 5 --register aapl_msft",
    "nt-ray train gru --param hidden=64 --steps 3000 --set neural.training.lr=0.0005",
    "nt-ray train lstm --workers 2 --set neural.training.checkpoint_s=10",
    "nt-ray train nhits --workers 1:4 --json",
    "nt-ray train dlinear --data lake/ --shards 64 --workers 8",
)

Model: TypeAlias = Annotated[str, typer.Argument(metavar="MODEL", help="A network, as in `nt-ray models kinds`.")]
Target: TypeAlias = Annotated[str | None, typer.Option(metavar="NAME", help="close, log_close or returns.")]
Lookback: TypeAlias = Annotated[str | None, typer.Option(metavar="BARS", help="Bars a window looks back.")]
Horizon: TypeAlias = Annotated[str | None, typer.Option(metavar="BARS", help="Bars a window forecasts.")]
Steps: TypeAlias = Annotated[str | None, typer.Option(metavar="N", help="Steps of training.")]
Workers: TypeAlias = Annotated[
    str | None, typer.Option(metavar="N|LEAST:MOST", help="Workers on Ray; 0 trains in this process.")
]
Shards: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="N", help="Cut the series into N parts, each held by one worker alone."),
]
Register: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Store the model as the next version of this name.")
]
Resume: TypeAlias = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Go on with the same training, or start it anew.")
]

KEYS = {
    "target": "neural.training.target",
    "lookback": "neural.training.lookback",
    "horizon": "neural.training.horizon",
    "steps": "neural.training.steps",
}


@by_settings(**KEYS, workers="neural.training.workers", shards="neural.training.shards")
def train(
    settings: "Settings",
    model: Model,
    param: Values = None,
    target: Target = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    steps: Steps = None,
    workers: Workers = None,
    shards: Shards = None,
    register: Register = None,
    resume: Resume = True,
    as_json: AsJson = False,
    progress: Progress = True,
) -> int:
    """Train as the options, the environment and the file say."""
    from nt_ray.backtest.assignment import numbers
    from nt_ray.errors import BadInputError
    from nt_ray.neural.registry.model_names import checked_name
    from nt_ray.neural.training.choice import panel_of, recipe_of, workers_of
    from nt_ray.trader.data import load_bars

    chosen = settings.neural.training
    recipe = recipe_of(chosen, model, numbers(param or ()), settings.seed)
    if register is not None:
        checked_name(register)
    if chosen.shards and workers_of(chosen)[0] == 0:
        raise BadInputError(
            f"{chosen.shards} shards are trained by workers, and there are none. Give --workers, or leave --shards out."
        )
    panel = None if chosen.shards else panel_of(load_bars(settings.data), chosen)
    from jobs import train as job

    return job.run(settings, panel, recipe, register=register, resume=resume, as_json=as_json, progress=progress)
