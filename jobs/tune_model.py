"""The search for a network's parameters on Ray Tune: random, TPE (Optuna), ASHA over growing training, PBT.

A worker process trains many candidates, one after the other, and reads the panel from the object store. Every finished
evaluation is logged, and what was measured before is looked up, so a search that broke goes on where it stood. The
best candidate is trained again from its stages, to the same bits, and saved.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from jobs.tune import OnEvaluation, Plan, Recorder, conduct
from jobs.tune_model_trial import ModelCandidate, ModelWork
from jobs.tune_trial import RUNGS
from nt_ray.backtest.search.result import EvaluationLog
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.device import find_device
from nt_ray.neural.training.search import FREE, ModelSpace, Stage, staged, trained_through
from nt_ray.neural.training.trained import Trained

GOAL = "validation_loss"


@dataclass(frozen=True, slots=True)
class Search:
    """A space walked by a plan on a panel; `ends` are the steps after which a candidate is measured."""

    panel: SeriesPanel
    space: ModelSpace
    plan: Plan
    ends: tuple[int, ...]
    device: str = "cpu"

    @classmethod
    def of(cls, panel: SeriesPanel, space: ModelSpace, plan: Plan, device: str = "cpu") -> "Search":
        """Search whose measurements fall on validations.

        The device has to be on this machine too, which trains the best candidate again.
        """
        find_device(device)
        steps = space.base.steps
        if space.base.solver == "ridge" and plan.algorithm in ("asha", "pbt"):
            raise NeuralError(
                f"{plan.algorithm} judges candidates while they train, and a closed form is solved at once. Use random "
                "or optuna, or neural.training.solver = 'steps'."
            )
        if plan.algorithm == "asha":
            every = max(steps // RUNGS[-1], 1)
            ends = tuple(every * rung for rung in RUNGS)
        elif plan.algorithm == "pbt":
            fixed = sorted(set(space.domains) - set(FREE))
            if fixed:
                raise NeuralError(
                    f"PBT changes values while networks train, and {fixed[0]} cannot change then. "
                    f"Search {', '.join(FREE)}, or use another algorithm."
                )
            every = max(steps // plan.windows, 1)
            ends = tuple(every * (i + 1) for i in range(plan.windows))
        else:
            every = min(space.base.validate_every or steps, steps)
            ends = (steps - steps % every,)
        return cls(panel, staged(space, ends, every), plan, ends, device)

    def identity(self) -> dict[str, Any]:
        """What evaluations depend on besides values and steps; two searches with the same may share a log."""
        told = {"recipe": self.space.base.model_dump(mode="json"), "data": self.panel.digest()}
        return told if self.device == "cpu" else {**told, "device": self.device}

    def run(self, log: EvaluationLog, folder: Path, tell: OnEvaluation | None = None) -> Recorder:
        """Search on the connected Ray."""
        work = ModelWork(self.panel, self.space, self.ends, dict(log.known), self.device)
        gpus = 0 if self.device == "cpu" else 1
        return conduct(ModelCandidate, work, self.space, self.plan, log, folder, tell, gpus=gpus)

    def best(self, found: Recorder) -> tuple[Trained, Mapping[str, float]]:
        """Train the best candidate again; its network and values."""
        scored = [(r["score"], trial) for trial, r in found.results.items() if r["evaluation"]["error"] is None]
        if not scored:
            first = next(iter(found.last.values())).error
            raise NeuralError(f"No candidate could be trained; the first: {first}")
        _, trial = max(scored, key=lambda pair: pair[0])
        stages = [Stage(values, until) for values, until in found.results[trial]["stages"]]
        return trained_through(self.panel, self.space, stages, self.device).result(), stages[-1].values

    def table(self, found: Recorder) -> pl.DataFrame:
        """One row a candidate, best first; `share` is how much of its training it was given."""
        names = list(self.space.domains)
        rows = [
            {
                **{name: evaluation.values[name] for name in names},
                "score": None if (loss := evaluation.metrics.get(GOAL)) is None else -loss,
                GOAL: loss,
                "training_loss": evaluation.metrics.get("training_loss"),
                "share": evaluation.after / self.ends[-1],
                "error": evaluation.error,
            }
            for evaluation in found.last.values()
        ]
        numbers = dict.fromkeys((*names, "score", GOAL, "training_loss", "share"), pl.Float64)
        frame = pl.DataFrame(rows, schema={**numbers, "error": pl.String})
        return frame.sort(pl.col("score"), *names, descending=[True, *([False] * len(names))], nulls_last=True)
