"""`nt-ray evaluate`: networks walked forward over bars they were not trained on, beside the naive rows."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.options import AsJson, Progress, Values, by_settings, help_text
from jobs.train_command import KEYS, Horizon, Lookback, Steps, Target

if TYPE_CHECKING:
    from nt_ray.config import Settings

EVALUATE_HELP = help_text(
    "Train networks walk-forward, forecast out of sample alone, and score them beside the last value, seasonal, drift "
    "and mean rows: errors, intervals, information coefficients against a permutation null, a verdict in plain words, "
    "a test for knowledge of the future, and the result after costs of an account that trades the forecasts.",
    "nt-ray evaluate dlinear",
    "nt-ray evaluate dlinear lstm --symbols AAPL,MSFT,XOM --target returns --horizon 5 --seeds 5",
    "nt-ray evaluate rlinear --folds 4 --refit warm --purge 24 --embargo 5 --json",
)

Models: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="MODEL...", help="Networks, as in `nt-ray models kinds`.")
]
Share: TypeAlias = Annotated[
    float, typer.Option("--train", min=0.05, max=0.95, help="Share of the bars before the first forecast.")
]
Folds: TypeAlias = Annotated[int, typer.Option(min=1, help="Windows into which the other bars are cut; each is a fit.")]
Rolling: TypeAlias = Annotated[
    bool, typer.Option("--rolling", help="Train on a window that rolls, not one that grows.")
]
Purge: TypeAlias = Annotated[int, typer.Option(min=0, help="Bars of labels left out before each window.")]
Embargo: TypeAlias = Annotated[int, typer.Option(min=0, help="Further bars left out.")]
Stride: TypeAlias = Annotated[int, typer.Option(min=1, help="Bars from one forecast to the next.")]
Refit: TypeAlias = Annotated[str, typer.Option(metavar="HOW", help="fold (from scratch), warm, or once.")]
Seeds: TypeAlias = Annotated[int, typer.Option(min=1, help="Seeds; several give intervals over them.")]
Season: TypeAlias = Annotated[int, typer.Option(min=1, help="Bars of a season, for the seasonal row; 1 is none.")]
Leaks: TypeAlias = Annotated[bool, typer.Option("--leaks/--no-leaks", help="Test for knowledge of the future.")]
Trade: TypeAlias = Annotated[bool, typer.Option("--trade/--no-trade", help="Trade the forecasts after costs.")]


@by_settings(**KEYS)
def evaluate(
    settings: "Settings",
    models: Models,
    param: Values = None,
    target: Target = None,
    lookback: Lookback = None,
    horizon: Horizon = None,
    steps: Steps = None,
    train: Share = 0.6,
    folds: Folds = 2,
    rolling: Rolling = False,
    purge: Purge = 0,
    embargo: Embargo = 0,
    stride: Stride = 5,
    refit: Refit = "fold",
    seeds: Seeds = 3,
    season: Season = 1,
    leaks: Leaks = True,
    trade: Trade = True,
    as_json: AsJson = False,
    progress: Progress = True,
) -> int:
    """Evaluate as the options, the environment and the file say; exit code 1 where the future was known."""
    from jobs.evaluate import Wanted, run
    from nt_ray.backtest.assignment import numbers

    wanted = Wanted(
        tuple(models),
        numbers(param or ()),
        train,
        folds,
        rolling,
        purge,
        embargo,
        stride,
        refit,
        seeds,
        season,
        leaks,
        trade,
    )
    return run(settings, wanted, as_json=as_json, progress=progress)
