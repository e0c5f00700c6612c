"""Accounts and jobs in this process: reading asks the journal alone, what changes something opens the account.

An account that is open has fenced off others. It is open for the symbols that it was asked to trade, and opened again
where another one comes. Nothing trades by itself here: sessions live on a cluster.
"""

import threading
from collections.abc import Sequence
from typing import Any

import anyio.to_thread

from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.mcp.local_jobs import LocalJobs
from nt_ray.config import Settings
from nt_ray.errors import ConfigError, ServiceError
from nt_ray.strategies.registry import find
from nt_ray.trader.books import Books
from nt_ray.trader.connection import books_of
from nt_ray.trader.journal_reading import check_free
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.live_session import SessionStatus
from nt_ray.trader.reports import AccountState, state_of
from nt_ray.trader.session_keeper import SessionRequest
from nt_ray.trading.orders import Fill, Order, OrderRequest


class NoAccountError(ConfigError):
    """An account that the settings do not have."""

    def __init__(self, account: str, known: Sequence[str]) -> None:
        have = f"There are: {', '.join(known)}." if known else "Enable a broker at a real venue in [brokers]."
        super().__init__(f"There is no account {account!r}. {have}")


def venue_accounts(settings: Settings) -> tuple[str, ...]:
    """Name the enabled brokers whose accounts outlive a run."""
    brokers = settings.brokers
    return tuple(name for name in brokers.enabled if brokers.table(name).kind != "simulated")


class NoSessionsError(ServiceError):
    """A session where none can live."""

    def __init__(self) -> None:
        super().__init__("Nothing trades by itself here. Ask the gateway of a cluster, nt-ray serve gateway.")


class NoSessions:
    """Live sessions of a process that ends with its assistant: there are none."""

    async def check(self, asked: SessionRequest, *, instead_of: str = "") -> None:
        """Raise where a session is to begin; a strategy may take the place of another one without."""
        find(asked.strategy)
        if not instead_of:
            raise NoSessionsError

    async def start(self, asked: SessionRequest, who: str, reason: str) -> SessionStatus:
        """Begin none."""
        raise NoSessionsError

    async def stop(self, session: str, *, flatten: bool) -> SessionStatus:
        """End none."""
        raise NoSessionsError

    async def switch(self, asked: SessionRequest, instead_of: str, who: str, reason: str) -> None:
        """Begin none: the strategy is allowed to trade, and whoever sends orders signs them by its name."""

    async def statuses(self, account: str) -> list[SessionStatus]:
        """Say that there are none."""
        return []


class LocalAccounts:
    """Accounts of the settings; `live` is the second consent to real money."""

    def __init__(self, settings: Settings, *, live: bool = False) -> None:
        self._settings = settings
        self._live = live
        self._opened: dict[str, LiveAccount] = {}
        self._symbols: dict[str, frozenset[str]] = {}
        self._lock = threading.RLock()

    async def names(self) -> list[str]:
        """Names of the accounts at venues."""
        return sorted(venue_accounts(self._settings))

    def account(self, name: str) -> AccountDoor:
        """One by its name; it is opened by what is asked of it."""

        async def call(method: str, *arguments: object) -> Any:
            return await anyio.to_thread.run_sync(self._call, name, method, arguments)

        return AccountDoor(name, call)

    def held(self, name: str) -> LiveAccount | None:
        """An account if it is open; raises where there is none of this name."""
        known = venue_accounts(self._settings)
        if name not in known:
            raise NoAccountError(name, known)
        return self._opened.get(name)

    def close(self) -> None:
        """Close the accounts that were opened."""
        with self._lock:
            for account in self._opened.values():
                account.close()
            self._opened.clear()

    def _call(self, name: str, method: str, arguments: tuple[object, ...]) -> Any:
        with self._lock:
            return getattr(self._open(name, _symbols(arguments)), method)(*arguments)

    def _open(self, name: str, symbols: frozenset[str]) -> LiveAccount:
        held, known = self.held(name), self._symbols.get(name, frozenset())
        if held is None or not symbols <= known:
            wanted = known | symbols
            if held is None:
                check_free(self._settings, name)
            opened = LiveAccount(SettingsPlan(self._settings, name, tuple(sorted(wanted)), self._live))
            if held is not None:
                held.close()
            self._opened[name], self._symbols[name] = opened, wanted
            held = opened
        return held


def _symbols(arguments: tuple[object, ...]) -> frozenset[str]:
    """Symbols of orders among what an account is asked with."""
    lists = [argument for argument in arguments if isinstance(argument, list)]
    return frozenset(one.symbol for found in lists for one in found if isinstance(one, OrderRequest))


class LocalBackend:
    """All that tools ask for, in this process."""

    def __init__(self, settings: Settings, *, live: bool = False) -> None:
        self.settings = settings
        self.accounts = LocalAccounts(settings, live=live)
        self.sessions = NoSessions()
        self.jobs = LocalJobs(settings)

    def state(self, account: str) -> AccountState:
        """Money and positions of an account."""
        held = self.accounts.held(account)
        return state_of(account, self._books(account)) if held is None else held.state()

    def orders(self, account: str) -> Sequence[Order]:
        """All its orders."""
        held = self.accounts.held(account)
        return list(self._books(account).orders.values()) if held is None else held.orders()

    def fills(self, account: str) -> Sequence[Fill]:
        """All its executions."""
        held = self.accounts.held(account)
        return list(self._books(account).fills) if held is None else held.fills()

    def close(self) -> None:
        """End the jobs, and close the accounts that were opened."""
        self.jobs.close()
        self.accounts.close()

    def _books(self, account: str) -> Books:
        return books_of(self.settings, account)
