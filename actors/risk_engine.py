"""Risk engines: actors that measure portfolios on one set of scenarios, which lies in the object store once.

The first engine draws the scenarios; the others read them from the store without a copy, and draw them themselves where
it does not answer. They follow from the plan alone, bit for bit, so an engine that was restarted answers as before, and
calls are safe to repeat. A call names the plan it means: an engine that restarted with an older one is given the newer.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment

import numpy as np
import numpy.typing as npt
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from actors.calls import settle
from actors.cluster import NAMESPACE
from nt_ray.errors import NeuralTraderError, ServiceError
from nt_ray.risk.monte_carlo.scenarios import Components, Plan, Scenarios, Tails, check_portfolios, make

SHARING_S: Final = 60.0
"""How long an engine waits for the first one's scenarios before it draws its own."""


class StaleScenariosError(ServiceError):
    """An engine holds the scenarios of another plan."""

    code = "stale_scenarios"

    def __init__(self, wanted: str, held: str) -> None:
        super().__init__(f"Scenarios {wanted} were asked for, {held} are held. Call refresh with the plan.")


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What one engine is and holds."""

    name: str
    pid: int
    fingerprint: str
    assets: int
    scenarios: int
    seed: int
    horizon: int
    megabytes: float
    shared: bool
    """Whether its scenarios lie in the object store."""


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0)
class RiskEngine:
    """Mailbox of a set of scenarios; number 0 of a name shares its own with the others."""

    def __init__(self, name: str, number: int, plan: Plan, threads: int | None) -> None:
        self._name, self._number, self._threads = name, number, threads
        self._load(plan)

    def many(self, fingerprint: str, weights: npt.ArrayLike, confidence: float) -> Tails:
        """Measure portfolios (P, N)."""
        return self._held(fingerprint).evaluate(weights, confidence, threads=self._threads)

    def analyze(self, fingerprint: str, weights: npt.ArrayLike, confidence: float) -> Components:
        """Measure one portfolio (N,) and divide its value at risk and expected shortfall among the assets."""
        return self._held(fingerprint).contributions(weights, confidence, threads=self._threads)

    def refresh(self, plan: Plan) -> None:
        """Take the scenarios of a plan; nothing is drawn where it holds them."""
        if plan.fingerprint() != self._fingerprint:
            self._load(plan)

    def share(self, fingerprint: str) -> "list[ray.ObjectRef[Any]]":
        """Return where the scenarios lie; empty where those of another plan are held."""
        return [self._ref] if self._ref is not None and fingerprint == self._fingerprint else []

    def status(self) -> EngineStatus:
        """Say what the engine holds."""
        plan = self._scenarios.plan
        return EngineStatus(
            name=name_of(self._name, self._number), pid=os.getpid(), fingerprint=self._fingerprint,
            assets=plan.model.assets, scenarios=plan.count, seed=plan.seed, horizon=plan.horizon,
            megabytes=self._scenarios.tiles.nbytes / 2**20, shared=not self._scenarios.tiles.flags.writeable,
        )  # fmt: skip

    def _held(self, fingerprint: str) -> Scenarios:
        if fingerprint != self._fingerprint:
            raise StaleScenariosError(fingerprint, self._fingerprint)
        return self._scenarios

    def _load(self, plan: Plan) -> None:
        self._fingerprint = plan.fingerprint()
        self._ref: ray.ObjectRef[Any] | None = None
        tiles = self._shared() if self._number else None
        if tiles is None:
            tiles = make(plan, threads=self._threads).tiles
            if self._number == 0:
                self._ref = ray.put(tiles)
                tiles = ray.get(self._ref)
        self._scenarios = Scenarios(plan, tiles)

    def _shared(self) -> Any:
        """Tiles of the first engine, if it answers and means the same plan."""
        try:
            first: Any = ray.get_actor(name_of(self._name, 0), NAMESPACE)
            found: list[Any] = ray.get(first.share.remote(self._fingerprint), timeout=SHARING_S)
            return ray.get(found[0], timeout=SHARING_S) if found else None
        except (ValueError, RayActorError, GetTimeoutError):
            return None


class RiskEngines:
    """Calls to the engines of a name; portfolios are divided among them and come back in their order."""

    def __init__(self, plan: Plan, actors: Sequence[Any]) -> None:
        self._actors = tuple(actors)
        self._take(plan)

    def many(self, weights: npt.ArrayLike, confidence: float) -> Tails:
        """Measure portfolios (P, N); bits do not depend on the number of engines."""
        rows = check_portfolios(weights, self.plan.model.assets)
        parts = np.array_split(rows, min(len(self._actors), len(rows)))
        pending = [self._begin(n, "many", part, confidence) for n, part in enumerate(parts)]
        tails = [answer() for answer in pending]
        var, es = (np.concatenate([getattr(part, which) for part in tails]) for which in ("var", "es"))
        return Tails(var=var, es=es, confidence=confidence, scenarios=self.plan.count)

    def analyze(self, weights: npt.ArrayLike, confidence: float) -> Components:
        """Measure one portfolio (N,) and divide its value at risk and expected shortfall among the assets."""
        found: Components = self._begin(0, "analyze", weights, confidence)()
        return found

    def refresh(self, plan: Plan) -> None:
        """Replace the scenarios of every engine: another model, seed, horizon or count."""
        self._settle(self._actors[0].refresh, plan)
        pending = [(actor.refresh, actor.refresh.remote(plan)) for actor in self._actors[1:]]
        for method, ref in pending:
            self._settle(method, plan, ref=ref)
        self._take(plan)

    def status(self) -> tuple[EngineStatus, ...]:
        """Say what every engine holds."""
        return tuple(self._settle(actor.status) for actor in self._actors)

    def _take(self, plan: Plan) -> None:
        self.plan, self._fingerprint = plan, plan.fingerprint()

    def _begin(self, number: int, method: str, *arguments: Any) -> Callable[[], Any]:
        """Send a call to an engine; what is returned waits for the answer."""
        actor = self._actors[number]
        bound = getattr(actor, method)
        sent = (self._fingerprint, *arguments)
        ref = bound.remote(*sent)

        def answer() -> Any:
            try:
                return self._settle(bound, *sent, ref=ref)
            except StaleScenariosError:
                self._settle(actor.refresh, self.plan)
                return self._settle(bound, *sent)

        return answer

    @staticmethod
    def _settle(method: Any, *arguments: Any, ref: Any = None) -> Any:
        def again() -> Any:
            return method.remote(*arguments)

        try:
            return settle(again() if ref is None else ref, again, "A risk engine")
        except RayTaskError as error:
            if isinstance(error.cause, NeuralTraderError):
                raise error.cause from None
            raise


def start(plan: Plan, *, workers: int = 1, threads: int | None = None, name: str = "risk") -> RiskEngines:
    """Start the engines of a name or find them, with the scenarios of this plan; they outlive their starter.

    Parameters
    ----------
    workers
        Engines; each is a process.
    threads
        Of each engine; as many as its machine has processors where None.
    """
    if workers < 1:
        raise ServiceError(f"{workers} risk engines can do nothing. Start at least 1.")
    options = {"namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
    handles: list[Any] = [
        RiskEngine.options(name=name_of(name, n), **options).remote(name, n, plan, threads)  # type: ignore[attr-defined]
        for n in range(workers)
    ]
    engines = RiskEngines(plan, handles)
    engines.refresh(plan)
    return engines


def stop(engines: RiskEngines) -> None:
    """End engines."""
    for actor in engines._actors:
        ray.kill(actor)


def name_of(name: str, number: int) -> str:
    """Return the name of an engine's actor."""
    return f"{name}/engine-{number}"
