"""A replica goes on telling its counts, whatever stands in the way of one word."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from actors.counts import All, Told
from deployments.gateway.observability import sharing
from deployments.gateway.observability.gpu import gpus
from deployments.gateway.observability.sharing import ActorBoard, Sharing
from nt_ray.errors import ServiceError


class Board:
    """Hears of replicas."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def exchange(self, replica: str, number: int, told: Told) -> All | None:
        self.heard.set()
        return All(told, 1)


def test_one_word_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(sharing, "TELL_EVERY_S", 0.001)
    faults = [RuntimeError("nobody expected it")]

    async def counted(_: str, __: str) -> Told:
        if faults:
            raise faults.pop()
        return ()

    async def run() -> None:
        board = Board()
        monkeypatch.setattr(sharing, "place", lambda: ("mine", board))
        async with Sharing(counted).running():
            await asyncio.wait_for(board.heard.wait(), 60)
        # What cannot be told at the end is in nobody's way.
        faults.append(RuntimeError("nor that"))
        async with Sharing(counted).running():
            faults.append(RuntimeError("and that"))

    asyncio.run(run())
    assert "nobody expected it" in caplog.text


def refused() -> Any:
    raise ServiceError("The board of counts could not be started. Ask again.")


def gone() -> Any:
    raise ValueError("counts")


@pytest.mark.parametrize("start", [refused, gone])
def test_a_board_that_cannot_be_started_or_found_is_one_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[], Any]
) -> None:
    monkeypatch.setattr(sharing.counts, "start", start)
    assert asyncio.run(ActorBoard().exchange("mine", 1, ())) is None


def test_a_tool_of_the_driver_that_cannot_be_run_tells_of_no_gpu(tmp_path: Any) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_bytes(b"\x7fELF of another machine")
    tool.chmod(0o755)
    assert asyncio.run(gpus(str(tool))) == []
