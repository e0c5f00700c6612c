"""A search trains each of its candidates as a training by itself would, and ranks them by validation."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nt_ray.config import Settings, load_settings
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.training.choice import panel_of
from nt_ray.neural.training.training import Training
from nt_ray.trader.data import load_bars
from nt_ray.trader.files import SUMMARY
from nt_ray.trader.jobs.job import JobCancelledError
from nt_ray.trader.jobs.reading import read_spec, settings_of
from nt_ray.trader.jobs.spec import Search
from nt_ray.trader.model_search import GOAL, TABLE, search_model, space_of_search

ASKED = {"kind": "search", "model": "dlinear", "symbols": ["KO"], "start": "2021-01-04", "trials": 3, "steps": 10,
         "lookback": 16, "horizon": 2}  # fmt: skip


def asked(tmp_path: Path, **changes: Any) -> tuple[Settings, Search]:
    spec = read_spec({**ASKED, **changes})
    assert isinstance(spec, Search)
    return settings_of(load_settings(None, {"runs": str(tmp_path)}, environ={}), spec), spec


def test_candidates_are_drawn_trained_and_ranked_as_they_would_be_alone(tmp_path: Path) -> None:
    settings, spec = asked(tmp_path)
    told: list[tuple[int, int]] = []
    summary = search_model(settings, spec, lambda done, total: told.append((done, total)))
    space = space_of_search(settings, spec)
    panel = panel_of(load_bars(settings.data), settings.neural.training)
    alone = {}
    for number in range(3):
        run = Training(panel, space.recipe(space.sample(settings.seed, number)))
        run.run()
        alone[number] = run.best.loss
    assert [(row["trial"], row[GOAL]) for row in summary["candidates"]] == sorted(alone.items(), key=lambda p: p[1])
    assert told == [(10, 30), (20, 30), (30, 30)]
    folder = Path(summary["folder"])
    assert json.loads((folder / SUMMARY).read_text(encoding="utf-8")) == summary
    assert pl.read_parquet(folder / TABLE).height == 3
    assert search_model(settings, spec, lambda *_: None)["folder"] == str(folder)


def test_candidates_read_the_inputs_that_are_asked_for_and_one_that_takes_none_says_so(tmp_path: Path) -> None:
    one = {"past": ["close"], "future": ["weekday"], "trials": 1}
    settings, spec = asked(tmp_path, model="gru", ranges={"hidden": [4, 6]}, **one)
    panel = panel_of(load_bars(settings.data), settings.neural.training)
    assert (panel.past_names, panel.future_names) == (("close",), ("weekday",))
    (row,) = search_model(settings, spec, lambda *_: None)["candidates"]
    space = space_of_search(settings, spec)
    run = Training(panel, space.recipe(space.sample(settings.seed, 0)))
    run.run()
    assert row[GOAL] == run.best.loss
    (refused,) = search_model(*asked(tmp_path, **one), lambda *_: None)["candidates"]
    assert "dlinear takes no past inputs" in refused["error"]


def test_a_candidate_that_runs_off_is_told_and_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, spec = asked(tmp_path, trials=2)
    first, run = space_of_search(settings, spec).sample(settings.seed, 0)["lr"], Training.run

    def runs_off(self: Training, *given: Any, **named: Any) -> None:
        if self.recipe.lr == first:
            raise NeuralError("The training loss is inf at step 3. Lower lr.")
        run(self, *given, **named)

    monkeypatch.setattr(Training, "run", runs_off)
    good, bad = search_model(settings, spec, lambda *_: None)["candidates"]
    assert (good["trial"], good["error"], good[GOAL] > 0) == (1, None, True)
    assert (bad["trial"], bad[GOAL], "at step 3" in bad["error"]) == (0, None, True)


def test_a_search_that_nobody_wants_any_more_ends_and_leaves_nothing(tmp_path: Path) -> None:
    def stop(*_: int) -> None:
        raise JobCancelledError("No.")

    settings, spec = asked(tmp_path)
    with pytest.raises(JobCancelledError):
        search_model(settings, spec, stop)
    assert not list(tmp_path.iterdir())
