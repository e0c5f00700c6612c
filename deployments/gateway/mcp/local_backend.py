"""Accounts in this process: reading asks the journal alone, an order opens the account and fences off other copies."""

import threading
from collections.abc import Sequence

from nt_ray.config import Settings
from nt_ray.errors import ConfigError
from nt_ray.trader.books import Books
from nt_ray.trader.connection import books_of
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import SettingsPlan
from nt_ray.trader.reports import AccountState, OrderReport, state_of
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


class LocalBackend:
    """Accounts of the settings; `live` is the second consent to real money."""

    def __init__(self, settings: Settings, *, live: bool = False) -> None:
        self._settings = settings
        self._live = live
        self._opened: dict[str, LiveAccount] = {}
        self._lock = threading.Lock()

    @property
    def settings(self) -> Settings:
        """Settings of the platform."""
        return self._settings

    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts at venues."""
        return venue_accounts(self._settings)

    def state(self, account: str) -> AccountState:
        """Money and positions of an account."""
        held = self._held(account)
        return state_of(account, self._books(account)) if held is None else held.state()

    def orders(self, account: str) -> Sequence[Order]:
        """All its orders."""
        held = self._held(account)
        return list(self._books(account).orders.values()) if held is None else held.orders()

    def fills(self, account: str) -> Sequence[Fill]:
        """All its executions."""
        held = self._held(account)
        return list(self._books(account).fills) if held is None else held.fills()

    def submit(self, account: str, requests: Sequence[OrderRequest]) -> Sequence[OrderReport]:
        """Pass orders through its gate."""
        self._check(account)
        with self._lock:
            held = self._opened.get(account)
            if held is None:
                symbols = tuple(sorted({request.symbol for request in requests}))
                held = LiveAccount(SettingsPlan(self._settings, account, symbols, self._live))
                self._opened[account] = held
        return held.submit(requests)

    def close(self) -> None:
        """Close the accounts that were opened."""
        with self._lock:
            for account in self._opened.values():
                account.close()
            self._opened.clear()

    def _held(self, account: str) -> LiveAccount | None:
        self._check(account)
        return self._opened.get(account)

    def _books(self, account: str) -> Books:
        return books_of(self._settings, account)

    def _check(self, account: str) -> None:
        if account not in self.accounts():
            raise NoAccountError(account, self.accounts())
