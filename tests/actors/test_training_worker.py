"""A worker's part of a training, without Ray Train; how two of them agree is tested with the team."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.neural.series.panel import SeriesPanel
from nt_ray.neural.series.signature import Signature
from nt_ray.neural.training.building import build_network
from nt_ray.neural.training.durable import Pace
from nt_ray.neural.training.recipe import Recipe

RECIPE = Recipe(model="rlinear", lookback=12, horizon=4, batch=16, steps=5, validate_every=0, validation=0.0)
CHANGED = "Shard 1 has changed. Lay the data out anew."


class Told:
    """A team that has been told what its first worker to refuse says."""

    def __init__(self, others: str) -> None:
        self.others, self.asked = others, []

    def refusal(self, own: str, device: torch.device) -> str:
        self.asked.append((own, device))
        return self.others or own


class Data:
    """A worker's panel, or the refusal to read it."""

    def __init__(self, refusal: str) -> None:
        self.refusal = refusal

    def read(self, rank: int, size: int) -> tuple[SeriesPanel, None]:
        assert (rank, size) == (1, 2)
        if self.refusal:
            raise NeuralError(self.refusal)
        clock = np.arange(100)
        times = np.datetime64("2026-01-01", "us") + clock * np.timedelta64(1, "h")
        return SeriesPanel(("a",), times, np.sin(clock / 3.0)[None]), None


@pytest.mark.parametrize(
    ("own", "others", "said"), [("", "", None), (CHANGED, "", CHANGED), ("", CHANGED, CHANGED), ("mine", "its", "its")]
)
def test_a_worker_trains_where_all_agree_and_else_says_what_all_say(
    own: str, others: str, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors import training_worker

    team, trained = Told(others), []
    context = SimpleNamespace(get_world_rank=lambda: 1, get_world_size=lambda: 2)
    replaced: dict[str, Any] = {
        "get_device": lambda: torch.device("cpu"),
        "joined": lambda: team,
        "_train": lambda module, *_: trained.append((module.run.recipe, module.network)),
    }
    for name, value in replaced.items():
        monkeypatch.setattr(training_worker, name, value)
    monkeypatch.setattr(training_worker.ray.train, "get_context", lambda: context)
    monkeypatch.setattr(training_worker.ray.train, "get_checkpoint", lambda: None)
    start = build_network(RECIPE, Signature(lookback=12, horizon=4, frequency="1h", scaling="last"), 1)
    assert training_worker.fit(Data(own), RECIPE, tmp_path, Pace(), start) == said
    assert team.asked == [(own, torch.device("cpu"))]
    assert trained == ([(RECIPE, start)] if said is None else [])
