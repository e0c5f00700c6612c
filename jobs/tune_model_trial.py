"""One candidate of a network's search in a worker process of Ray Tune. It imports only what training needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ray import tune

from jobs.tune_trial import RUNGS
from nt_ray.backtest.search.result import Evaluation, Key, key_of
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.training.search import ModelSpace, Stage, changed, lineage, trained_through
from nt_ray.neural.training.training import Training

WORST: Final = -1e30
"""Score of a candidate that could not be trained."""

STAGES, STATE = "stages.json", "state"


@dataclass(frozen=True, slots=True)
class ModelWork:
    """What every worker knows; `ends` are the steps after which a candidate is measured."""

    panel: SeriesPanel
    space: ModelSpace
    ends: tuple[int, ...]
    known: Mapping[Key, Evaluation]
    device: str = "cpu"


class ModelCandidate(tune.Trainable):
    """One candidate in a worker process: a step trains it up to its next end."""

    def setup(self, config: dict[str, Any], work: ModelWork) -> None:  # type: ignore[override]
        """Take in what every worker knows."""
        self.work = work
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another candidate."""
        self.values = {name: float(value) for name, value in new_config["values"].items()}
        self.stages: list[Stage] = []
        self.run: Training | None = None
        return True

    def step(self) -> dict[str, Any]:
        """Train up to the next end; what was measured before is looked up, and trained only where it goes on."""
        work = self.work
        end = work.ends[len(self.stages)]
        first = lineage(self.stages, self.values)
        known = work.known.get(key_of(self.values, first, end))
        self.stages.append(Stage(dict(self.values), end))
        if known is not None:
            self.run = None
            metrics, error = dict(known.metrics), known.error
        else:
            metrics, error = self._trained(end)
        loss = metrics.get("validation_loss")
        turn = len(self.stages)
        return {
            "score": WORST if loss is None else -loss,
            "units": RUNGS[min(turn, len(RUNGS)) - 1],
            "evaluation": {"first": first, "after": end, "metrics": metrics, "error": error},
            "values": dict(self.values),
            "stages": [[dict(stage.values), stage.until] for stage in self.stages],
            "done": turn == len(work.ends) or error is not None,
        }

    def _trained(self, end: int) -> tuple[dict[str, float | None], str | None]:
        try:
            if self.run is None:
                self.run = trained_through(self.work.panel, self.work.space, self.stages, self.work.device)
            else:
                self.run.run(until=end)
        except NeuralError as error:
            self.run = None
            return {}, str(error)
        return {"validation_loss": self.run.best.loss, "training_loss": self.run.progress.loss}, None

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keep how far the candidate is, and its weights where it has them."""
        place = Path(checkpoint_dir)
        text = [[dict(stage.values), stage.until] for stage in self.stages]
        (place / STAGES).write_text(json.dumps(text), encoding="utf-8")
        if self.run is not None:
            self.run.save(place / STATE)

    def load_checkpoint(self, checkpoint: str | dict[str, Any] | None) -> None:
        """Go on where it was, or where another was, with the values of this one."""
        place = Path(str(checkpoint))
        text = json.loads((place / STAGES).read_text(encoding="utf-8"))
        self.stages = [Stage(values, until) for values, until in text]
        work = self.work
        self.run = None
        if (place / STATE).exists():
            self.run = changed(work.panel, work.space, place / STATE, self.values, work.device)
