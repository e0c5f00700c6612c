"""What is told to the stream changes nothing in whoever tells it, whatever becomes of the stream."""

import pytest
from ray.exceptions import GetTimeoutError, RaySystemError

from actors import stream
from actors.broadcasting import ToStream


@pytest.mark.parametrize("error", [ValueError("none"), GetTimeoutError("late"), RaySystemError("gone")])
def test_a_stream_that_cannot_be_found_is_not_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    asked = 0

    def find() -> None:
        nonlocal asked
        asked += 1
        raise error

    monkeypatch.setattr(stream, "find", find)
    tell = ToStream()
    for _ in range(3):
        tell([])
    # It is not looked for again at once.
    assert asked == 1
