"""The actor of the model registry: one place on the cluster to ask which version holds an alias, and to be told when.

It holds nothing: all state lies in the store, so it may die at any time and its successor answers the same; calls may
be repeated. Files do not pass through it: whoever needs weights, or has new ones, opens the registry itself
(`nt_ray.neural.registry.registry.open_registry`), on the machine where they are.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import ray

from actors.calls import settle
from actors.cluster import NAMESPACE
from nt_ray.config.sections import Neural
from nt_ray.neural.drift.drift import DEFAULT_LIMITS, Drift, Limits
from nt_ray.neural.drift.retraining import Recent, RetrainPlan, drift_of, due_retraining, plan_retraining
from nt_ray.neural.registry.aliases import Event
from nt_ray.neural.registry.evidence import Evidence
from nt_ray.neural.registry.registry import Description, ModelSummary, open_registry

NAME = "registry/models"
THREADS = 8
WATCHERS = 64
POLL_S = 0.5

Trigger = Callable[[RetrainPlan], Any]


@ray.remote(  # type: ignore[call-overload]
    num_cpus=0,
    max_restarts=-1,
    max_task_retries=0,
    max_concurrency=THREADS,
    concurrency_groups={"watchers": WATCHERS},
)
class RegistryActor:
    """Mailbox of a registry; `retrain` is called with each plan to train a model anew."""

    def __init__(self, settings: Neural, retrain: Trigger | None = None, by: str | None = None) -> None:
        self._registry = open_registry(settings, by)
        self._retrain = retrain

    def models(self) -> tuple[ModelSummary, ...]:
        """Every model by name."""
        return self._registry.list()

    def describe(self, text: str) -> Description:
        """Say what a version is."""
        return self._registry.describe(text)

    def history(self, name: str, after: int = 0) -> tuple[Event, ...]:
        """Changes of the aliases of a model after an event's number, newest first."""
        return self._registry.history(name, after=after)

    @ray.method(concurrency_group="watchers")
    def changed_since(self, name: str, seq: int, wait_s: float = 0.0) -> tuple[Event, ...]:
        """Changes after an event's number, newest first; waits for the first one, up to `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        while True:
            events = self._registry.history(name, after=seq)
            left = deadline - time.monotonic()
            if events or left <= 0:
                return events
            time.sleep(min(POLL_S, left))

    def promote(self, name: str, version: int, alias: str, evidence: Evidence | None = None) -> Event | None:
        """Point an alias to a version, through the gate."""
        return self._registry.promote(name, version, alias, evidence)

    def rollback(self, name: str, alias: str, of: int) -> int:
        """Point an alias back to the version before, where version `of` holds it; the holder then."""
        return self._registry.rollback(name, alias, of=of)

    def watch_drift(self, name: str, alias: str, recent: Recent, limits: Limits = DEFAULT_LIMITS) -> Drift:
        """Compare recent rows with the training of an alias' holder; its first drift triggers a retraining."""
        drift = drift_of(self._registry, f"{name}@{alias}", recent, limits)
        plan = plan_retraining(self._registry, name, alias, drift)
        if plan is not None and self._retrain is not None:
            self._retrain(plan)
        return drift

    def resume_retraining(self, name: str, alias: str) -> RetrainPlan | None:
        """Trigger the retraining of an alias' holder again that was asked for and not met; None where there is none.

        For whoever finds that a retraining was cut off; one that is under way still answers for both.
        """
        plan = due_retraining(self._registry, name, alias)
        if plan is not None and self._retrain is not None:
            self._retrain(plan)
        return plan

    def ping(self) -> None:
        """Answer once the registry is open."""

    def pid(self) -> int:
        """Process that holds the actor now."""
        return os.getpid()


def start(settings: Neural, retrain: Trigger | None = None, by: str | None = None) -> Any:
    """Start the registry's actor or find it; it outlives its starter."""
    handle: Any = RegistryActor.options(  # type: ignore[attr-defined]
        name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True
    ).remote(settings, retrain, by)
    settle(handle.ping.remote(), handle.ping.remote, "The model registry")
    return handle


def find() -> Any:
    """Find the registry's actor; raises ValueError where there is none."""
    return ray.get_actor(NAME, NAMESPACE)


def stop() -> None:
    """End the registry's actor; what it told of stays in the store."""
    ray.kill(find())
