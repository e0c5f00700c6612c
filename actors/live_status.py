"""Live accounts of a cluster as they are now: what each says of itself, and the circuit that a pool has for it.

It asks and starts nothing. Whoever does not answer in time is reported as such.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import ray
from ray.exceptions import ActorUnschedulableError, GetTimeoutError, RayActorError
from ray.util import list_named_actors

from actors.cluster import NAMESPACE
from actors.live_account import actor_name
from actors.live_pool import NAME as POOL
from nt_ray.errors import ServiceError

ANSWER_S: Final = 5.0

_SILENT: Final = (RayActorError, ActorUnschedulableError, GetTimeoutError)


def live_statuses(accounts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is known of each account that has an actor, as JSON holds it."""
    named = {name: actor_name(name) for name in accounts}
    running = {found["name"] for found in list_named_actors(all_namespaces=True) if found["namespace"] == NAMESPACE}
    circuits = _circuits(sorted(name for name in running if name.startswith("broker-pool/")))
    found = {name: _status(actor) for name, actor in named.items() if actor in running}
    return {name: row | {"circuit": circuits.get(named[name])} for name, row in found.items()}


def pool_status() -> dict[str, Any] | None:
    """Routing over live accounts as the pool sees it, as JSON holds it; None where no pool runs or answers."""
    try:
        table, rows = (_ask(POOL, method) for method in ("table", "rows"))
    except (*_SILENT, ServiceError):
        return None
    return {"routing": str(table.policy), "version": table.version, "accounts": [asdict(row) for row in rows]}


def _status(actor: str) -> dict[str, Any]:
    try:
        status = asdict(_ask(actor, "status"))
    except (*_SILENT, ServiceError) as error:
        return {"up": False, "error": f"The account's actor does not answer: {type(error).__name__}."}
    health = status.pop("health")
    return {**health, **status, "up": health["up"] and not status["is_fenced"]}


def _circuits(pools: Sequence[str]) -> dict[str, str]:
    """State of the circuit by actor; the worst where several pools supervise it."""
    found: dict[str, str] = {}
    for pool in pools:
        try:
            told: dict[str, str] = _ask(pool, "circuits")
        except (*_SILENT, ServiceError):
            continue
        found |= {actor: state for actor, state in told.items() if found.get(actor, "closed") == "closed"}
    return found


def _ask(actor: str, method: str) -> Any:
    try:
        handle: Any = ray.get_actor(actor, NAMESPACE)
    except ValueError as error:
        raise ServiceError(f"{actor} has just gone. Ask again.") from error
    return ray.get(getattr(handle, method).remote(), timeout=ANSWER_S)
