"""What a replica itself leans on, each as a check of its health: the audit log, identities, limits of use, models.

Without the first three it can serve no change, or nobody at all, so it is not ready. Each is asked at most once a
second, by one question at a time, however many probes come; what is asked may hang and holds up nobody else.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from deployments.gateway.observability.health import Check, Component, Condition
from deployments.gateway.observability.kept import Kept
from nt_ray.config.sections import Neural
from nt_ray.errors import NeuralTraderError
from nt_ray.storage.objects import ObjectStore, S3Access, open_objects

KEPT_S: Final = 1.0
ANY_MODEL: Final = "aliases/"
"""Beginning of keys of the registry, of which it holds few."""


_log = logging.getLogger(__name__)


class Checked(Protocol):
    """Something that says whether it works."""

    def check(self) -> None:
        """Raise where it does not."""
        ...


_MISSING: Final = {
    "audit": "The audit log takes no entry, so no change is served.",
    "access": "The file of identities cannot be read and written, so nobody new is let in.",
    "limits": "Requests cannot be counted, so nobody is let in.",
    "models": "The registry of models cannot be read.",
}
"""What follows from a part that does not work; the cause, which may name files and hosts, is in the log."""


def required(audit: Checked, gatekeeper: Checked, limits: Checked) -> dict[str, Check]:
    """Return checks of what a replica cannot serve without."""
    parts = {"audit": audit, "access": gatekeeper, "limits": limits}
    return {name: Kept(_Part(name, part.check).ask, KEPT_S).get for name, part in parts.items()}


def models(settings: Neural) -> dict[str, Check]:
    """Return the check of the model registry; trading goes on without it, so it is degraded at most."""
    opened: list[ObjectStore] = []

    def look() -> None:
        if not opened:
            opened.append(open_objects(settings.registry, S3Access(settings.s3.endpoint, settings.s3.region)))
        next(iter(opened[0].list(ANY_MODEL)), None)

    return {"models": Kept(_Part("models", look, Condition.DEGRADED).ask, KEPT_S).get}


class _Part:
    """A part that is looked at in a thread; the log is told why it does not work, once for each cause."""

    def __init__(self, name: str, look: Callable[[], None], worst: Condition = Condition.DOWN) -> None:
        self._name, self._look, self._worst = name, look, worst
        self._why = ""

    async def ask(self) -> Component:
        before, self._why = self._why, await asyncio.to_thread(self._fault)
        if not self._why:
            return Component(Condition.UP)
        if self._why != before:
            _log.warning("%s does not work: %s", self._name, self._why)
        return Component(self._worst, f"{_MISSING[self._name]} The log says why.")

    def _fault(self) -> str:
        try:
            self._look()
        except (NeuralTraderError, OSError) as error:
            return str(error)
        return ""


def why_not(found: Mapping[str, Component]) -> str:
    """Name the components that are down; empty where there is none."""
    return ", ".join(name for name, component in found.items() if component.condition is Condition.DOWN)
