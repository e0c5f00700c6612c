"""`nt-ray synthesize`: train a generator of return paths on one series, keep it, and draw from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.options import AsJson, Progress, Values, by_settings, help_text
from jobs.train_command import Register, Resume

if TYPE_CHECKING:
    from nt_ray.config import Settings

SYNTHESIZE_HELP = help_text(
    "Train a generative adversarial network on the log returns of one symbol, keep it, draw paths from it, and compare "
    "their stylised facts (autocorrelations of r, |r| and r², leverage, tails) with those of the history, of a "
    "GARCH(1,1) and of a stationary bootstrap. The same command again goes on where it was stopped. With --model "
    "nothing is trained: paths are drawn from a generator there is. `nt-ray stress --synthetic` stresses with it.",
    "nt-ray synthesize --data sp500-index --end 2018-12-31 --register sp500_paths",
    "nt-ray synthesize --data sp500-index --param steps=600 --param seed=3 --json",
    "nt-ray synthesize --model sp500_paths/1 --paths 1000 --length 22 --out month.csv",
)

Which: TypeAlias = Annotated[
    str | None, typer.Option("--model", metavar="NAME@ALIAS|NAME/N|FOLDER", help="Draw from this generator alone.")
]
Paths: TypeAlias = Annotated[int, typer.Option(min=1, help="Paths that are drawn.")]
Length: TypeAlias = Annotated[int, typer.Option(min=0, help="Steps of each; 0 is as many as the history has.")]
Out: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Paths as .parquet or .csv; else in the run's folder.")
]


@by_settings()
def synthesize(
    settings: "Settings",
    param: Values = None,
    model: Which = None,
    paths: Paths = 100,
    length: Length = 0,
    out: Out = None,
    register: Register = None,
    resume: Resume = True,
    as_json: AsJson = False,
    progress: Progress = True,
) -> int:
    """Train and draw, or draw alone."""
    from jobs.synthesize import Wanted, run
    from nt_ray.backtest.assignment import numbers
    from nt_ray.errors import BadInputError
    from nt_ray.neural.registry.model_names import checked_name

    if register is not None:
        checked_name(register)
    if model is not None and (param or register):
        raise BadInputError(f"--model {model} is drawn from as it is. Leave --param and --register out, or --model.")
    wanted = Wanted(numbers(param or ()), model, paths, length, out, register, resume)
    return run(settings, wanted, as_json=as_json, progress=progress)
