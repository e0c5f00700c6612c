"""Parts of the platform on Ray that the gateway leans on, each as a check of its health: the cluster and its keepers.

A keeper that nobody has needed yet does not run and is well; a check starts nothing. Live sessions that were begun are
needed: without their keeper nobody trades them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayActorError

from actors import counts, jobs, live_sessions, stream
from actors.cluster import NAMESPACE
from deployments.gateway.backend.cluster import ClusterFacts, RayCluster
from deployments.gateway.observability.health import Check, Component, Condition
from nt_ray.trader.live_session import TROUBLED, SessionStatus

KEEPERS: Final = (jobs.NAME, stream.NAME, counts.NAME)


def on_ray(state: Path) -> Mapping[str, Check]:
    """Return checks of what runs on the Ray of this process, none where it is on no Ray; `state` is where files lie."""
    if not ray.is_initialized():
        return {}
    keepers = {name: partial(_keeper, name) for name in KEEPERS}
    return {"cluster": cluster, **keepers, live_sessions.NAME: partial(_sessions, state)}


async def cluster() -> Component:
    """Say whether all nodes are there."""
    return whole(await asyncio.to_thread(RayCluster().facts))


def whole(facts: ClusterFacts) -> Component:
    """Say whether all nodes of a cluster are there."""
    if not facts.connected:
        return Component(Condition.DOWN, "The gateway is on no cluster.")
    lost = facts.nodes - facts.nodes_alive
    return Component(Condition.DEGRADED, f"{lost} node(s) lost.") if lost else Component(Condition.UP)


def trading(statuses: Sequence[SessionStatus]) -> Component:
    """Say how live sessions are, without the names of any: whoever asks may not see their accounts."""
    troubled = [found.condition.value for found in statuses if found.condition in TROUBLED]
    if not troubled:
        return Component(Condition.UP)
    words = ", ".join(sorted(set(troubled)))
    return Component(Condition.DEGRADED, f"{len(troubled)} of {len(statuses)} sessions do not trade: {words}.")


async def _keeper(name: str) -> Component:
    actor = await _found(name)
    if actor is None:
        return Component(Condition.UP, "It starts when it is first asked.")
    try:
        await actor.ping.remote()
    except RayActorError:
        return Component(Condition.DOWN, "It is being started again, or cannot be.")
    return Component(Condition.UP)


async def _sessions(state: Path) -> Component:
    actor = await _found(live_sessions.NAME)
    if actor is None:
        left = await asyncio.to_thread(live_sessions.begun, state)
        if left:
            detail = f"Nobody looks after {left} session(s) that were begun. `nt-ray trade status` starts their keeper."
            return Component(Condition.DOWN, detail)
        return Component(Condition.UP, "It starts with the first session.")
    try:
        return trading(await actor.statuses.remote())
    except RayActorError:
        return Component(Condition.DOWN, "It is being started again, or cannot be.")


async def _found(name: str) -> Any:
    try:
        return await asyncio.to_thread(ray.get_actor, name, NAMESPACE)
    except ValueError:
        return None
