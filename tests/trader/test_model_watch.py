"""Models as they are watched: verdicts of drift since training, kept for a while, and requests to train anew."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from nt_ray.config import Settings, load_settings
from nt_ray.neural.drift.drift_reference import reference_of
from nt_ray.neural.registry.registry import Registry, open_registry
from nt_ray.trader.model_watch import KEEP_S, ModelWatch, Watched

START, TRAINED, CALM, ROWS = datetime(2026, 1, 1, tzinfo=UTC), 300, 500, 700


def day(row: int) -> datetime:
    return START + timedelta(days=row)


@pytest.fixture
def moves() -> Any:
    """Daily returns of two series, five times as wild from row 500 on."""
    spread = np.where(np.arange(ROWS) < CALM, 0.01, 0.05)
    return np.random.default_rng(5).normal(size=(2, ROWS)) * spread


@pytest.fixture
def settings_until(tmp_path: Path, moves: Any) -> Callable[[int], Settings]:
    """Settings whose data end with a row."""
    closes = 100 * np.exp(np.cumsum(moves, axis=1))
    lines = ["time,symbol,open,high,low,close,volume"]
    for row in range(ROWS):
        prices = [(s, f"{closes[n, row]:.6f}") for n, s in enumerate("ab")]
        lines += [f"{day(row).date()},{s},{p},{p},{p},{p},1000" for s, p in prices]
    (tmp_path / "bars.csv").write_text("\n".join(lines))

    def make(row: int) -> Settings:
        places = {"neural.registry": "models", "neural.cache": "cache", "data.source": "bars.csv"}
        values = {key: str(tmp_path / place) for key, place in places.items()}
        return load_settings(None, values | {"data.end": str(day(row).date())}, environ={})

    return make


@pytest.fixture
def registry(settings_until: Callable[[int], Settings], tmp_path: Path, moves: Any) -> Registry:
    made = open_registry(settings_until(ROWS).neural, "ann")
    seen = {name: np.expm1(moves[n, 1:TRAINED]) for n, name in enumerate("ab")}
    config = {"target": "returns", "trained_until": day(TRAINED - 1).isoformat()}
    for name, lineage in (
        ("known", {"config": config, "reference": reference_of(seen).model_dump(mode="json")}),
        ("strange", {"config": {"target": "spread"}}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        save_file({"w": np.zeros(1, np.float32)}, folder / "weights.safetensors")
        described = {"format": "nt-ray-model/1", "signature": {}, "lineage": lineage}
        (folder / "model.json").write_text(json.dumps(described))
        made.register(folder, name)
    made.promote("known", 1, "challenger")
    return made


def look(settings: Settings) -> dict[str, Watched]:
    return {found.name: found for found in ModelWatch(settings, lambda: 0.0).look()}


@pytest.mark.usefixtures("registry")
def test_bars_like_those_of_training_are_steady_and_wilder_ones_have_drifted(
    settings_until: Callable[[int], Settings],
) -> None:
    calm, wild = look(settings_until(CALM - 1))["known"], look(settings_until(ROWS))["known"]
    assert (calm.alias, calm.version, calm.versions, calm.trained_until) == ("challenger", 1, 1, day(TRAINED - 1))
    assert (calm.verdict.bars, calm.verdict.reasons, calm.verdict.refused) == (CALM - TRAINED, (), "")
    assert [reason.split()[:2] for reason in wild.verdict.reasons] == [["input", "a"], ["input", "b"]]


@pytest.mark.usefixtures("registry")
def test_what_cannot_be_judged_says_why_and_stops_nothing(settings_until: Callable[[int], Settings]) -> None:
    early = look(settings_until(TRAINED + 9))
    assert (early["known"].verdict.bars, early["known"].verdict.refused[:7]) == (10, "10 bars")
    assert (early["strange"].alias, early["strange"].verdict.refused[:28]) == ("", "It was not trained on bars, ")
    bare = settings_until(ROWS)
    lost = bare.model_copy(update={"data": bare.data.model_copy(update={"source": "nowhere.csv"})})
    assert "nowhere.csv" in look(lost)["known"].verdict.refused


def test_a_request_to_train_anew_is_told_until_a_version_meets_it(
    registry: Registry, settings_until: Callable[[int], Settings], tmp_path: Path
) -> None:
    settings = settings_until(CALM)
    assert look(settings)["known"].asked == ""
    asked = registry.ask_for_retraining("known", "challenger", {}, "input a drifted")
    assert asked is not None
    found = look(settings)["known"]
    assert (found.asked, found.is_met) == ("input a drifted", False)
    version = registry.register(tmp_path / "known", "known", {"retrains": str(asked.seq)})
    registry.promote("known", version, "candidate")
    rows = [found for found in ModelWatch(settings, lambda: 0.0).look() if found.name == "known"]
    assert [(f.alias, f.version, f.asked, f.is_met) for f in rows] == [
        ("candidate", 2, "", False), ("challenger", 1, "input a drifted", True)
    ]  # fmt: skip


@pytest.mark.usefixtures("registry")
def test_a_verdict_is_kept_for_a_while(settings_until: Callable[[int], Settings], tmp_path: Path) -> None:
    now = 0.0
    watch = ModelWatch(settings_until(ROWS), lambda: now)

    def bars() -> int:
        return next(found.verdict.bars for found in watch.look() if found.name == "known")

    assert bars() == ROWS - TRAINED
    (tmp_path / "bars.csv").unlink()
    now = KEEP_S - 1
    assert bars() == ROWS - TRAINED
    now = KEEP_S
    assert bars() == 0
