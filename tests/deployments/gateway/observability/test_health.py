"""The whole is as well as its worst component, and no component can keep the answer back."""

import asyncio

import pytest

from deployments.gateway.observability.health import Component, Condition, examine, overall
from nt_ray.errors import ServiceError


async def well() -> Component:
    return Component(Condition.UP)


async def slow() -> Component:
    return Component(Condition.DEGRADED, "The venue is slow.")


async def away() -> Component:
    raise ServiceError("It is away. Wait.")


async def broken() -> Component:
    raise ZeroDivisionError


async def silent() -> Component:
    await asyncio.sleep(60)
    return Component(Condition.UP)


def test_the_whole_is_as_bad_as_its_worst_component() -> None:
    found = asyncio.run(examine({"a": well, "b": slow}))
    assert found == {"a": Component(Condition.UP), "b": Component(Condition.DEGRADED, "The venue is slow.")}
    assert overall(found) is Condition.DEGRADED
    assert overall({**found, "c": Component(Condition.DOWN)}) is Condition.DOWN
    assert overall({}) is Condition.UP


@pytest.mark.parametrize(("check", "why"), [(away, "It is away. Wait."), (broken, "the log"), (silent, "0.01 s")])
def test_a_component_that_fails_or_is_silent_is_down_and_says_why(check: object, why: str) -> None:
    found = asyncio.run(examine({"a": well, "b": check}, 0.01))  # type: ignore[dict-item]
    assert found["a"].condition is Condition.UP
    assert found["b"].condition is Condition.DOWN
    assert why in found["b"].detail
