"""The keeper of live sessions: who trades which symbols of which account, begun, ended and looked after.

Guarantees: a session is checked against the account's own bars before anything is kept of it; where one takes the place
of another, that one is over, on disk, before the next begins; whoever opens the same file again goes on with the
sessions that are there. It knows accounts by name alone and does not know what calls `step`.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from nt_ray.config import Settings
from nt_ray.strategies.loader import is_reference
from nt_ray.strategies.registry import find, plain
from nt_ray.trader.broadcast import Publish
from nt_ray.trader.live_session import Condition, LiveSession, SessionStatus, TradedAccount
from nt_ray.trader.live_swarm import LiveSwarm
from nt_ray.trader.overview import Overview
from nt_ray.trader.planning import allocator_of, sizing_params
from nt_ray.trader.session_store import KeptSession, Phase, SessionPlan, SessionStore


class KeptAccount(TradedAccount, Protocol):
    """An account as the keeper asks it, too."""

    def overview(self) -> Overview:
        """Return the account at a glance."""
        ...


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What is to be traded. Without a strategy the configured swarm decides; without symbols all of the account's."""

    account: str
    strategy: str = ""
    symbols: tuple[str, ...] = ()
    parameters: dict[str, float] = field(default_factory=dict)


class SessionKeeper:
    """The sessions of one store."""

    def __init__(
        self,
        settings: Settings,
        store: SessionStore,
        account: Callable[[str], KeptAccount],
        publish: Publish | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._store = store
        self._account = account
        self._publish = publish
        self._clock = clock
        self._changing = threading.Lock()
        self._sessions = {kept.id: self._live(kept) for kept in store.sessions()}

    def check(self, asked: SessionRequest, instead_of: str = "") -> None:
        """Raise where a session could not begin, in the place of those of a strategy where one is named."""
        before = self.of(asked.account, instead_of) if instead_of else []
        self._store.check(self._checked(_taking(asked, before)), [kept.id for kept in before])

    def start(self, asked: SessionRequest, who: str, reason: str) -> SessionStatus:
        """Begin a session, and look at the newest bar; whatever is wrong raises before anything is kept."""
        with self._changing:
            return self._begun(self._checked(asked), who, reason).step()

    def stop(self, session: str, *, flatten: bool = False) -> SessionStatus:
        """End a session and cancel what it has open; `flatten` closes its positions first, which may take a while."""
        with self._changing:
            return self._ended(self._store.find(session), flatten=flatten)

    def switch(self, asked: SessionRequest, instead_of: str, who: str, reason: str) -> SessionStatus:
        """End the sessions of a strategy at an account and begin another, with the symbols of the first by default."""
        with self._changing:
            before = self.of(asked.account, instead_of)
            plan = self._checked(_taking(asked, before))
            self._store.check(plan, [kept.id for kept in before])
            for kept in before:
                self._ended(kept, flatten=False)
            return self._begun(plan, who, reason).step()

    def of(self, account: str, strategy: str) -> list[KeptSession]:
        """List the sessions of a strategy at an account that are not over."""
        return [
            kept
            for kept in self._store.sessions()
            if kept.plan.account == account and plain(kept.plan.signature) == plain(strategy)
        ]

    def statuses(self, account: str = "") -> list[SessionStatus]:
        """Say how the sessions of an account are, or all; those that are over are left out."""
        found = [session.status for session in list(self._sessions.values())]
        return [told for told in found if account in ("", told.session.plan.account)]

    def running(self) -> list[str]:
        """Ids of the sessions that are to be looked after."""
        return list(self._sessions)

    def step(self, session: str) -> None:
        """Let one session look for a new bar."""
        found = self._sessions.get(session)
        if found is not None and found.step().condition is Condition.ENDED:
            self._sessions.pop(session, None)

    def close(self) -> None:
        """Close the store; sessions are as they are."""
        self._store.close()

    def _checked(self, asked: SessionRequest) -> SessionPlan:
        account = self._account(asked.account)
        symbols = tuple(dict.fromkeys(asked.symbols)) or tuple(i.symbol for i in account.overview().instruments)
        strategy = asked.strategy
        if strategy:
            found = find(strategy)
            found.vector(asked.parameters)
            strategy = strategy if is_reference(strategy) else found.name
        panel = account.finished_bars(symbols, None).panel
        sizing_params(self._settings, allocated=True)
        allocator_of(self._settings, panel)
        LiveSwarm(self._settings, strategy, asked.parameters).exposures(panel)
        return SessionPlan(asked.account, strategy, symbols, dict(asked.parameters), panel.time(0))

    def _begun(self, plan: SessionPlan, who: str, reason: str) -> LiveSession:
        session = self._live(self._store.begin(plan, who, reason, self._clock()))
        self._sessions[session.id] = session
        return session

    def _ended(self, kept: KeptSession, *, flatten: bool) -> SessionStatus:
        session = self._sessions.get(kept.id) or self._live(kept)
        told = session.end(Phase.CLOSING if flatten else Phase.ENDED)
        if told.condition is Condition.ENDED:
            self._sessions.pop(kept.id, None)
        return told

    def _live(self, kept: KeptSession) -> LiveSession:
        account = self._account(kept.plan.account)
        return LiveSession(kept, self._settings, account, self._store, self._publish, self._clock)


def _taking(asked: SessionRequest, before: Sequence[KeptSession]) -> SessionRequest:
    """Request with the symbols of those whose place it takes, where it names none."""
    return replace(asked, symbols=asked.symbols or tuple(symbol for kept in before for symbol in kept.plan.symbols))


def plain_status(told: SessionStatus) -> dict[str, Any]:
    """Session at a glance as JSON values."""
    kept, plan = told.session, told.session.plan
    return {
        "session": kept.id,
        "account": plan.account,
        "strategy": plan.signature,
        "symbols": list(plan.symbols),
        "parameters": dict(plan.parameters),
        "phase": kept.phase.value,
        "condition": told.condition.value,
        "sentence": told.sentence,
        "bar": told.stamp,
        "looked_at": None if told.looked_at is None else told.looked_at.isoformat(),
        "missing": list(told.missing),
        "orders": [dict(outcome) for outcome in told.outcomes],
        "who": kept.who,
        "reason": kept.reason,
        "started": kept.started.isoformat(),
    }
