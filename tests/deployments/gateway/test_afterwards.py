"""What is done for a caller who has gone ends, also where the server cancels his request again and again."""

import asyncio

import anyio
import pytest

from deployments.gateway.afterwards import see_to
from nt_ray.errors import ServiceError

WITHIN_S = 60.0


def test_it_ends_though_the_task_is_cancelled_over_and_over() -> None:
    goes_on, ended = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        await goes_on.wait()
        ended.set()

    async def call() -> None:
        try:
            await asyncio.sleep(WITHIN_S)
        except asyncio.CancelledError:
            await see_to(slow(), WITHIN_S)
            raise

    async def server() -> None:
        request = asyncio.create_task(call())
        for _ in range(3):
            await asyncio.sleep(0.005)
            request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert not ended.is_set()
        goes_on.set()
        await asyncio.wait_for(ended.wait(), WITHIN_S)

    asyncio.run(server())


def test_a_scope_around_it_is_held_off_and_a_refusal_is_only_told(caplog: pytest.LogCaptureFixture) -> None:
    async def refused() -> None:
        await asyncio.sleep(0.01)
        raise ServiceError("The keeper of jobs is away. Ask again.")

    async def server() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await see_to(refused(), WITHIN_S)

    asyncio.run(server())
    assert "The keeper of jobs is away" in caplog.text


def test_it_is_given_up_in_time() -> None:
    asyncio.run(see_to(asyncio.sleep(WITHIN_S), 0.01))
