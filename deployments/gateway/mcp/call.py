"""One call of a tool: who calls, what he may reach, and the way to say how far it is."""

import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, TypeVarTuple

import anyio.from_thread

from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.problems import StoppedError
from nt_ray.access.roles import Principal

PAUSE_S: Final = 0.1
"""Least time between two words about progress."""

Tell = Callable[[int, int, str], None]
Args = TypeVarTuple("Args")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done:
    """What a job of a call has left: its id, the name of its run, its summary as `nt://runs/NAME` has it."""

    job: str
    run: str
    summary: Mapping[str, Any]


class Call:
    """What a tool is handed beside its arguments; tools run in threads."""

    def __init__(self, backend: Backend, principal: Principal, tell: Tell | None = None) -> None:
        self.backend = backend
        self.principal = principal
        self._tell = tell
        self._stopped = threading.Event()
        self._told = 0.0

    def stop(self) -> None:
        """Let the tool end at its next word about progress."""
        self._stopped.set()

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Say how far the tool is; raises `StoppedError` once nobody waits for it."""
        if self._stopped.is_set():
            raise StoppedError
        now = time.monotonic()
        if self._tell is not None and (done >= total or now - self._told >= PAUSE_S):
            self._told = now
            self._tell(done, total, message)

    def accounts(self) -> list[str]:
        """Names of the accounts."""
        return self.ask(self.backend.accounts.names)

    def ask(self, question: Callable[[*Args], Coroutine[Any, Any, T]], *arguments: *Args) -> T:
        """Ask in the server's loop, and wait for the answer in the tool's thread."""
        return anyio.from_thread.run(question, *arguments)
