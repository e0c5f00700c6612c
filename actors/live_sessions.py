"""The actor of live sessions: strategies that trade live accounts, bar by bar, for as long as nobody stops them.

A thin shell around `nt_ray.trader.session_keeper`. The sessions are in a file of the state's folder, so a restarted
actor goes on with all of them; their accounts are reached by name, wherever they live now. One loop looks at every
session regularly, each in a thread of its own: an account that is away holds up nobody else.
"""

import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import actors.cluster  # noqa: F401  prepares the environment Ray reads

import ray  # isort: skip  after actors.cluster, which prepares its environment
from ray.exceptions import RayError, RayTaskError

from actors.broadcasting import ToStream
from actors.calls import settle
from actors.cluster import NAMESPACE, held_here
from actors.remote_account import RemoteAccount
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError, ServiceError
from nt_ray.trader.account import AccountState
from nt_ray.trader.event_stream import News
from nt_ray.trader.finished_bars import FinishedBars
from nt_ray.trader.history import Family
from nt_ray.trader.live_readings import OrderQuery
from nt_ray.trader.live_session import SessionStatus
from nt_ray.trader.overview import Overview
from nt_ray.trader.session_keeper import SessionKeeper, SessionRequest
from nt_ray.trader.session_store import SessionStore

NAME: Final = "live-sessions"
FILE: Final = "live-sessions.sqlite"
PACE_S: Final = 30.0
"""Seconds between two looks at a session."""
PATIENCE_S: Final = 10.0
"""How long an account that is away is waited for; it is asked again at the next look."""
THREADS: Final = 16

_log = logging.getLogger(__name__)


class SessionAccount(RemoteAccount):
    """A live account by its name, as a session asks it."""

    def __init__(self, name: str) -> None:
        super().__init__(name, PATIENCE_S)

    def finished_bars(self, symbols: Sequence[str], since: datetime | None) -> FinishedBars:
        """Finished bars of these symbols."""
        found: FinishedBars = self._call("finished_bars", list(symbols), since)
        return found

    def sync(self) -> AccountState:
        """Ask the venue and return the account as it stands."""
        found: AccountState = self._call("sync")
        return found

    def query(self, query: OrderQuery) -> list[Family]:
        """List orders."""
        found: list[Family] = self._call("query", query)
        return found

    def overview(self) -> Overview:
        """Return the account at a glance."""
        found: Overview = self._call("overview")
        return found


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=THREADS)  # type: ignore[call-overload]
class LiveSessionsActor:
    """Mailbox of a `SessionKeeper`, and the loop that lets it look."""

    def __init__(self, settings: Settings, pace_s: float = PACE_S) -> None:
        self._pace_s = pace_s
        self._stream, self._telling = ToStream(), threading.Lock()
        store = SessionStore(Path(settings.state) / FILE)
        self._keeper = SessionKeeper(settings, store, SessionAccount, self._publish)
        self._ending = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS, "session")
        self._under_way: dict[str, Any] = {}
        self._loop = threading.Thread(target=self._look, name="sessions", daemon=True)
        self._loop.start()

    def check(self, asked: SessionRequest, instead_of: str = "") -> None:
        """Raise where a session could not begin."""
        self._keeper.check(asked, instead_of)

    def start(self, asked: SessionRequest, who: str, reason: str) -> SessionStatus:
        """Begin a session."""
        return self._keeper.start(asked, who, reason)

    def stop(self, session: str, flatten: bool = False) -> SessionStatus:
        """End a session."""
        return self._keeper.stop(session, flatten=flatten)

    def switch(self, asked: SessionRequest, instead_of: str, who: str, reason: str) -> SessionStatus:
        """Let a session take the place of those of another strategy."""
        return self._keeper.switch(asked, instead_of, who, reason)

    def statuses(self, account: str = "") -> list[SessionStatus]:
        """Say how the sessions are."""
        return self._keeper.statuses(account)

    def ping(self) -> None:
        """Answer once it runs."""

    def pid(self) -> int:
        """Process that holds the actor now."""
        return os.getpid()

    def close(self) -> None:
        """Look no more, and close the file; the sessions go on when the actor is started again."""
        self._ending.set()
        self._loop.join()
        self._pool.shutdown()
        self._keeper.close()

    def _look(self) -> None:
        while not self._ending.is_set():
            for session in self._keeper.running():
                before = self._under_way.get(session)
                if before is None or before.done():
                    self._under_way[session] = self._pool.submit(self._step, session)
            self._ending.wait(self._pace_s)

    def _step(self, session: str) -> None:
        try:
            self._keeper.step(session)
        except Exception:  # noqa: BLE001 the boundary of a thread: one session's fault is told in full and ends no other
            _log.exception("%s could not look", session)

    def _publish(self, told: Sequence[News]) -> None:
        with self._telling:
            self._stream(told)


def start(settings: Settings, pace_s: float = PACE_S) -> Any:
    """Start the actor of live sessions or find it; it outlives its starter, and its file is that of this process."""
    here = settings.model_copy(update={"state": Path(settings.state).absolute()})

    def begin() -> "ray.ObjectRef[None]":
        # Found again each time: an actor whose node has just died bears the name until Ray notices.
        actor: Any = LiveSessionsActor.options(  # type: ignore[attr-defined]
            name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True, resources=held_here()
        ).remote(here, pace_s)
        answer: ray.ObjectRef[None] = actor.ping.remote()
        return answer

    settle(begin(), begin, "The keeper of live sessions")
    return find()


def resume(settings: Settings) -> None:
    """Start the actor where sessions have been begun, as after the end of a cluster."""
    if (Path(settings.state) / FILE).exists():
        start(settings)


def begun(state: Path) -> int:
    """Count the sessions on file that are not over; none where there is no file."""
    path = state / FILE
    if not path.exists():
        return 0
    store = SessionStore(path)
    try:
        return len(store.sessions())
    finally:
        store.close()


def ask(settings: Settings, method: str, *arguments: object) -> Any:
    """Call the actor, started where it does not run, and wait; its errors arrive as themselves."""
    try:
        return ray.get(getattr(start(settings), method).remote(*arguments))
    except RayTaskError as error:
        if isinstance(error.cause, NeuralTraderError):
            raise error.cause from None
        raise
    except RayError as error:
        raise ServiceError("The keeper of live sessions restarts. See what trades, then ask again.") from error


def find() -> Any:
    """Find the actor of live sessions; raises ValueError where there is none."""
    return ray.get_actor(NAME, NAMESPACE)


def stop() -> None:
    """End the actor; its sessions go on when it is started again."""
    handle = find()
    settle(handle.close.remote(), handle.close.remote, "The keeper of live sessions")
    ray.kill(handle)
