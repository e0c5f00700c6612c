"""Commands that answer with JSON, run in this process in a folder of the test's own; searches with few processes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.cli import main

Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    monkeypatch.chdir(tmp_path)

    def ask(*arguments: str, code: int = 0) -> dict[str, Any]:
        assert main([*arguments, "--json"]) == code, capsys.readouterr()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return ask


@pytest.fixture
def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ray serve two candidates at a time: results do not depend on it, and each further process takes seconds."""
    from ray import tune

    given = tune.with_resources
    monkeypatch.setattr(tune, "with_resources", lambda trainable, _: given(trainable, {"cpu": 2}))
