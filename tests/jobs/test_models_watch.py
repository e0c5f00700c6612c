"""Models watched on Ray: drift noted by the registry's actor, and a retraining that makes a challenger, once."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from jobs.cli import main
from nt_ray.config.sections import Neural
from nt_ray.errors import StorageError
from nt_ray.neural.registry.registry import Registry, open_registry
from nt_ray.neural.serving.keeping import keep
from nt_ray.neural.training.choice import panel_of
from nt_ray.neural.training.recipe import Recipe
from nt_ray.neural.training.training import train

ROWS, OLD = 300, 200
RECIPE = Recipe(model="dlinear", parameters={"kernel": 5.0}, lookback=8, horizon=2, batch=16, steps=20, validation=0.2)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A model of bars that jump after its training, and one that cannot be watched, both held by `live`."""
    from nt_ray.config import load_settings
    from nt_ray.trader.data import load_bars

    monkeypatch.chdir(tmp_path)
    clock = np.arange(ROWS)
    closes = {
        name: np.where(clock < OLD, 100.0, 140.0) + 5 * np.sin(clock / pace) for name, pace in (("A", 3), ("B", 5))
    }
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2022, 1, 1), eager=True)[:ROWS]
    pl.DataFrame({"date": days, **closes}).write_csv("bars.csv")
    chosen = load_settings(None, {"data.source": "bars.csv", "data.end": str(days[OLD - 1])}, environ={})
    before = panel_of(load_bars(chosen.data), chosen.neural.training)
    keep(train(before, RECIPE), before, tmp_path / "bundle", {"target": "close"})
    made = open_registry(Neural(registry="models", cache=tmp_path / "cache"))
    made.promote("m", made.register(tmp_path / "bundle", "m"), "live")
    keep(train(before, RECIPE), before, tmp_path / "other", {"target": "spread"})
    made.promote("odd", made.register(tmp_path / "other", "odd"), "live")
    return made


def looks(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[dict[str, Any]]]:
    places = ("--data", "bars.csv", "--alias", "live", "--rounds", "1", "--every", "0", "--json")
    code = main(["models", "watch", *more, *places, "--set", "neural.cache=cache"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("ray_cluster")
def test_drift_is_noted_and_trained_away_once_and_one_model_stops_no_other(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    from actors.registry import stop

    try:
        code, (found, odd) = looks(capsys)
        assert code == 1
        assert (found["model"], found["bars"], found["made"]) == ("m@live", ROWS - OLD, None)
        assert [reason.split()[1] for reason in found["reasons"][:2]] == ["A", "B"]
        assert "not trained on bars" in odd["error"]
        assert registry.history("m")[0].action == "retrain"
        code, (found,) = looks(capsys, "m", "--retrain")
        assert (code, found["made"]["version"], found["made"]["warm_start"]) == (0, 2, "m/1")
        assert registry.model("m").aliases == {"challenger": 2, "live": 1}
        _, (again,) = looks(capsys, "m", "--retrain")
        assert again["made"] is None
        assert registry.model("m").versions == (1, 2)
    finally:
        stop()


def test_a_registry_that_is_away_and_a_process_that_dies_end_no_watch(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray
    from ray.exceptions import ActorDiedError

    from jobs.models_drift_command import _Look, _round
    from nt_ray.config import load_settings

    monkeypatch.setattr("actors.registry.start", lambda _: SimpleNamespace(watch_drift=Asked()))
    places = {"data.source": "bars.csv", "neural.registry": "models", "neural.cache": "cache"}
    look = _Look(load_settings(None, places, environ={}), registry, "live", retrain=False)

    def died(_: object) -> None:
        raise ActorDiedError

    monkeypatch.setattr(ray, "get", died)
    found, odd = _round(look, registry, [], "live")
    assert (found["model"], found["bars"], found["made"]) == ("m@live", ROWS - OLD, None)
    assert "a process on Ray died" in found["error"]
    assert "not trained on bars" in odd["error"]

    def away() -> None:
        raise StorageError("The bucket cannot be reached. Look at the network.")

    monkeypatch.setattr(registry, "list", away)
    (away_,) = _round(look, registry, [], "live")
    assert (away_["model"], away_["error"]) == ("*@live", "The bucket cannot be reached. Look at the network.")


class Asked:
    """A method of an actor whose answer is never there."""

    def remote(self, *_: object) -> None:
        return None
