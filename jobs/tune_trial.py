"""One candidate of a search in a worker process of Ray Tune. It imports only what an evaluation needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ray import tune

from nt_ray.backtest.search.objective import Objective, score
from nt_ray.backtest.search.result import Evaluation, Key, key_of
from nt_ray.errors import BadInputError

RUNGS: Final = (1, 3, 9)
"""Ninths of the training rows on which ASHA measures; the best third of each rung goes on to the next."""

Stretch = tuple[int, int]
"""First row and row after the last."""


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker knows."""

    objective: Objective
    goal: str
    stretches: tuple[Stretch, ...]
    known: Mapping[Key, Evaluation]


class Candidate(tune.Trainable):
    """One candidate in a worker process: a step is one evaluation."""

    def setup(self, config: dict[str, Any], work: Work) -> None:  # type: ignore[override]
        """Take in what every worker knows."""
        self.work = work
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another candidate."""
        self.values = {name: float(value) for name, value in new_config["values"].items()}
        self.turn = 0
        return True

    def step(self) -> dict[str, Any]:
        """Evaluate the candidate on its next stretch of rows."""
        work = self.work
        first, after = work.stretches[self.turn]
        known = work.known.get(key_of(self.values, first, after))
        metrics, error = (known.metrics, known.error) if known else evaluate(work.objective, self.values, first, after)
        self.turn += 1
        return {
            "score": score(metrics, work.goal),
            "units": RUNGS[min(self.turn, len(RUNGS)) - 1],
            "evaluation": {"first": first, "after": after, "metrics": dict(metrics), "error": error},
            "values": dict(self.values),
            "done": self.turn == len(work.stretches),
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keep how far the candidate is; its parameters are Tune's own."""
        Path(checkpoint_dir, "turn.json").write_text(json.dumps(self.turn), encoding="utf-8")

    def load_checkpoint(self, checkpoint: str | dict[str, Any] | None) -> None:
        """Go on where it was."""
        self.turn = int(json.loads(Path(str(checkpoint), "turn.json").read_text(encoding="utf-8")))


def evaluate(
    objective: Objective, values: Mapping[str, float], first: int, after: int
) -> tuple[dict[str, float | None], str | None]:
    """Metrics of a candidate, and why there are none where the strategy or the account refuses it."""
    try:
        return objective.measured(values, first, after), None
    except BadInputError as error:
        return {}, str(error)
