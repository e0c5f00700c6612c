"""The training job: a network on market data, in this process or by workers on Ray, kept in a folder.

`nt-ray train` and `ray job submit --working-dir . -- python -m jobs.train` start the same and take the same options.
The folder follows from recipe and data, so the same command again goes on where it was stopped, and answers at once
where it was done.
"""

import json
import sys
import time
from typing import Any

import typer
from rich.console import Console

from actors.training_run import register_bundle, run_folder, train, train_shards, write
from jobs.progress import counting
from nt_ray.config import Settings
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.choice import label_of
from nt_ray.neural.training.recipe import Recipe


def run(
    settings: Settings,
    panel: SeriesPanel | None,
    recipe: Recipe,
    *,
    register: str | None = None,
    resume: bool = True,
    as_json: bool = False,
    progress: bool = True,
) -> int:
    """Train, write the folder, and print where it is or one JSON object; return the exit code.

    Without a panel the data are cut into shards, and no process holds them all.
    """
    console = Console(stderr=as_json)
    began = time.perf_counter()
    with counting(console, "training", shown=progress and not as_json) as tell:
        on_step = None if tell is None else lambda p: tell(p.step, p.steps)
        if panel is None:
            folder, made = train_shards(settings, recipe, fresh=not resume, on_step=on_step)
            trained, panel, names = made.trained, made.shown, made.names
        else:
            folder = run_folder(settings, label_of(panel, recipe), fresh=not resume)
            trained, names = train(settings, panel, recipe, folder, on_step), panel.names
    summary = write(settings, panel, trained, folder, time.perf_counter() - began, names)
    if register is not None:
        summary["registered"] = register_bundle(settings, folder, register)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        _show(console, summary)
    return 0


def _show(console: Console, summary: dict[str, Any]) -> None:
    losses = ", ".join(f"{name.replace('_', ' ')} {value:.6g}" for name, value in summary["metrics"].items())
    console.print(
        f"{summary['model']}: {_course(summary)}, {losses}\n"
        f"{summary['trained_by']}, {summary['seconds']:.1f} s\n"
        f"model: {summary['bundle']}\npage: {summary['page']}",
        soft_wrap=True,
    )
    if "registered" in summary:
        console.print(f"registered as {summary['registered']}", soft_wrap=True)


def _course(summary: dict[str, Any]) -> str:
    if summary["recipe"]["solver"] == "ridge":
        return "solved in closed form"
    return f"{summary['steps']:,} steps, best after step {summary['best_step']:,}"


if __name__ == "__main__":
    from jobs.cli import main

    sys.exit(main(["train", *sys.argv[1:]]))
