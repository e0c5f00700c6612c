"""The page of a training: its losses, its validations, and what was trained on what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nt_ray.neural.training.trained import Trained
from nt_ray.reports.formats import number, text
from nt_ray.reports.page import plot, render_page, section, write_page
from nt_ray.reports.style import BENCHMARK, STRATEGY, Figure, layout
from nt_ray.reports.tables import table
from nt_ray.reports.thinning import thin


def write_training(trained: Trained, facts: Mapping[str, Any], path: str | Path) -> Path:
    """Write the page to `path` and return it; `facts` are shown as they are, by name."""
    return write_page(path, render_training(trained, facts))


def render_training(trained: Trained, facts: Mapping[str, Any]) -> str:
    """Render the page of a training as one HTML document."""
    drawn = {"losses": _losses(trained)}
    course = "solved in closed form" if trained.recipe.solver == "ridge" else f"{trained.step:,} steps"
    known = {**facts, **trained.recipe.model_dump(mode="json")}
    rows = [[text(name.replace("_", " ")), text(_plain(value))] for name, value in known.items()]
    return render_page(
        name=f"Training of {trained.recipe.model}",
        kind="training",
        facts=f"{course} · {_best(trained)}",
        body=(
            '<div class="stack">'
            + section("losses", "Losses of training and validation", plot("losses", drawn))
            + section("facts", "What was trained", table(["", ""], rows, left=2))
            + "</div>"
        ),
        figures=drawn,
    )


def _best(trained: Trained) -> str:
    """Best validation in words, and when or with what it was found."""
    loss = dict(trained.validations).get(trained.best)
    if loss is None:
        return "no validation"
    solved = trained.recipe.solver == "ridge"
    how = (
        f"with the penalty {trained.recipe.penalties[trained.best - 1]:g}" if solved else f"after step {trained.best:,}"
    )
    return f"best validation loss {number(loss, 5)} {how}"


def _losses(trained: Trained) -> Figure:
    values = np.asarray(trained.losses, dtype=np.float64)
    rows = thin(values)
    traces = [
        {"type": "scatter", "mode": "lines", "name": "training", "x": (rows + 1).tolist(),
         "y": np.round(values[rows], 8).tolist(), "line": {"color": BENCHMARK, "width": 1.2}},
    ]  # fmt: skip
    if trained.validations:
        steps, losses = zip(*trained.validations, strict=True)
        traces.append(
            {"type": "scatter", "mode": "lines+markers", "name": "validation", "x": list(steps), "y": list(losses),
             "line": {"color": STRATEGY, "width": 1.6}}
        )  # fmt: skip
    # The negative log-likelihood of a Student head may be below zero.
    kind = "log" if values.size and values.min() > 0 and all(v > 0 for _, v in trained.validations) else "linear"
    return {"data": traces, "layout": layout(360, xaxis={"title": {"text": "step"}}, yaxis={"type": kind})}


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
