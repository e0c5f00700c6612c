"""A clock set by hand, a gatekeeper on a folder of the test's own whose passwords cost little, and programs at once."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nt_ray.access.gatekeeper import Gatekeeper, open_gatekeeper
from nt_ray.config import Access

CHEAP: dict[str, Any] = {"password_memory_mb": 1, "password_passes": 1}


class Clock:
    """Time that passes only by `pass_`."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "access"


@pytest.fixture
def opened(folder: Path, clock: Clock) -> Iterator[Callable[..., Gatekeeper]]:
    """Opens gatekeepers on the same folder, as several servers would."""
    gates = []

    def open_(**settings: Any) -> Gatekeeper:
        gates.append(open_gatekeeper(Access(folder=folder, **(CHEAP | settings)), clock))
        return gates[-1]

    yield open_
    for gate in gates:
        gate.close()


@pytest.fixture
def gate(opened: Callable[..., Gatekeeper]) -> Gatekeeper:
    return opened()


@pytest.fixture
def at_once() -> Iterator[Callable[..., list[subprocess.Popen[str]]]]:
    """Runs a program several times, each with arguments of its own; all go on together from their line of input.

    A program prints `ready` and reads a line where it should wait for the others.
    """
    runs: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: tuple[str | Path, ...]) -> list[subprocess.Popen[str]]:
        for given in arguments:
            command = [sys.executable, "-c", program, *map(str, given)]
            runs.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for run in runs:
            assert run.stdout is not None
            assert run.stdout.readline() == "ready\n"
        for run in runs:
            assert run.stdin is not None
            run.stdin.write("go\n")
            run.stdin.flush()
        return runs

    yield start
    for run in runs:
        run.communicate()
