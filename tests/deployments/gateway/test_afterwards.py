"""What is done for a caller who has gone ends, also where the server cancels his request again and again."""

import asyncio

import anyio
import pytest

from deployments.gateway.afterwards import see_to
from nt_ray.errors import ServiceError


def test_it_ends_though_the_task_is_cancelled_over_and_over() -> None:
    ended = asyncio.Event()

    async def slow() -> None:
        await asyncio.sleep(0.05)
        ended.set()

    async def call() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await see_to(slow(), 5.0)
            raise

    async def server() -> None:
        request = asyncio.create_task(call())
        for _ in range(3):
            await asyncio.sleep(0.005)
            request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert not ended.is_set()
        await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(server())


def test_a_scope_around_it_is_held_off_and_a_refusal_is_only_told(caplog: pytest.LogCaptureFixture) -> None:
    async def refused() -> None:
        await asyncio.sleep(0.01)
        raise ServiceError("The keeper of jobs is away. Ask again.")

    async def server() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await see_to(refused(), 5.0)

    asyncio.run(server())
    assert "The keeper of jobs is away" in caplog.text


def test_it_is_given_up_in_time() -> None:
    asyncio.run(see_to(asyncio.sleep(60), 0.01))
