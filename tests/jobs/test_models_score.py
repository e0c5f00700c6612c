"""From a training to a champion: scores on fresh bars, the evidence file, the gate."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from jobs.cli import main
from nt_ray.neural.inference.bundle import load_bundle
from nt_ray.neural.inference.predictor import Predictor

ROWS, TRAINED = 420, 300
DAYS = pl.date_range(pl.date(2020, 1, 1), pl.date(2022, 1, 1), eager=True)[:ROWS]
HORIZON = 4

Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    monkeypatch.chdir(tmp_path)
    waves = {name: 100 + 10 * np.sin(np.arange(ROWS) / pace) for name, pace in (("AAA", 5.0), ("BBB", 7.0))}
    pl.DataFrame({"date": DAYS, **waves}).write_csv("waves.csv")

    def ask(*arguments: str, code: int = 0) -> dict[str, Any]:
        assert main([*arguments, "--json"]) == code
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return ask


def trained(answer: Answer, steps: int) -> dict[str, Any]:
    return answer(
        "train", "dlinear", "--data", "waves.csv", "--end", str(DAYS[TRAINED - 1]), "--lookback", "24",
        "--horizon", str(HORIZON), "--steps", str(steps), "--param", "kernel=5", "--register", "waves",
        "--set", "neural.training.lr=0.02",
    )  # fmt: skip


def test_a_version_becomes_champion_on_evidence_that_the_platform_wrote(answer: Answer) -> None:
    bundle = Path(trained(answer, 300)["bundle"])
    told = answer("models", "score", "waves/1", "--data", "waves.csv", "--evidence", "evidence.json")
    evidence = told["evidence"]
    assert told["objections"] == []
    assert evidence == json.loads(Path("evidence.json").read_text())
    assert (evidence["champion"], evidence["naive_name"]) == (None, "repeat")
    assert evidence["start"].startswith(str(DAYS[TRAINED]))
    assert evidence["windows"] == 2 * ((ROWS - TRAINED) // HORIZON)

    values = pl.read_csv("waves.csv").drop("date").to_numpy().T
    predictor = Predictor(load_bundle(bundle))
    model, naive = [], []
    for first in range(TRAINED, ROWS - HORIZON + 1, HORIZON):
        truth = values[:, first : first + HORIZON]
        model.append(np.square(predictor.forecast(values[:, :first]).mean - truth))
        naive.append(np.square(values[:, first - 1 : first] - truth))
    assert evidence["score"] == pytest.approx(np.mean(model), rel=1e-5)
    assert evidence["naive"] == pytest.approx(np.mean(naive), rel=1e-12)

    assert answer("models", "promote", "waves/1", "--evidence", "evidence.json")["changed"]
    trained(answer, 3)
    worse = answer("models", "score", "waves/2", "--data", "waves.csv", "--evidence", "worse.json", code=1)
    assert worse["evidence"]["champion"] == pytest.approx(evidence["score"])
    assert any("version 1" in sentence for sentence in worse["objections"])
    assert answer("models", "promote", "waves/2", "--evidence", "worse.json", code=2)["error"]["message"]
    assert answer("models", "show", "waves@champion")["version"] == 1


def test_what_cannot_be_scored_is_refused(answer: Answer) -> None:
    trained(answer, 3)
    stale = answer("models", "score", "waves/1", "--data", "waves.csv", "--end", str(DAYS[TRAINED]), code=2)["error"]
    assert "Give newer data" in stale["message"]
    assert "Version 7" in answer("models", "score", "waves/7", "--data", "waves.csv", code=2)["error"]["message"]


def test_drift_trains_a_challenger_once_and_leaves_the_promotion_to_the_gate(answer: Answer) -> None:
    trained(answer, 300)
    answer("models", "score", "waves/1", "--data", "waves.csv", "--evidence", "evidence.json")
    answer("models", "promote", "waves/1", "--evidence", "evidence.json")
    bars = pl.read_csv("waves.csv")
    later = np.arange(ROWS)
    moved = {
        name: np.where(later < TRAINED, bars[name].to_numpy(), 130 + 10 * np.sin(later / pace))
        for name, pace in (("AAA", 3.5), ("BBB", 9.0))
    }
    pl.DataFrame({"date": DAYS, **moved}).write_csv("moved.csv")
    pl.DataFrame(moved)[TRAINED:].write_csv("recent.csv")
    asked = ("models", "drift", "waves@champion", "recent.csv", "--retrain", "--data", "moved.csv")
    told = answer(*asked)
    assert told["retrain"]
    made = told["made"]
    assert (made["version"], made["warm_start"], made["trained"], made["objections"]) == (2, "waves/1", True, [])
    assert made["evidence"]["score"] < made["evidence"]["champion"]
    shown = answer("models", "show", "waves")
    assert (shown["versions"], shown["aliases"]) == ([1, 2], {"challenger": 2, "champion": 1})
    assert answer("models", "show", "waves/2")["lineage"]["config"]["warm_start"] == "waves/1"
    again = answer(*asked, code=1)
    assert (again["plan"], again["made"]) == (None, None)
    assert answer("models", "show", "waves")["versions"] == [1, 2]
    error = answer("models", "drift", "waves/1", "recent.csv", "--retrain", code=2)["error"]
    assert "names none" in error["message"]
