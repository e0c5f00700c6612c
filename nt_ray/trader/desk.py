"""The desk: all accounts of a session behind one interface, whatever carries the calls.

`InProcessDesk` holds them in this process. A cluster puts each into an actor of its own; the session cannot tell.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from nt_ray.market.bars import BarPanel
from nt_ray.trader.account import AccountState, OrderReport
from nt_ray.trader.replay_account import AccountPlan, ReplayAccount
from nt_ray.trading.orders import Fill, OrderRequest

Orders = Mapping[str, Sequence[OrderRequest]]
Reports = dict[str, list[OrderReport]]


class Desk(Protocol):
    """The accounts of a session."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names in order of preference."""
        ...

    @property
    def latencies_ms(self) -> list[float]:
        """Milliseconds from each call of an account's `submit` to its answer."""
        ...

    def advance(self, row: int) -> dict[str, AccountState]:
        """Move every account to a row; return their states."""
        ...

    def submit(self, orders: Orders) -> Reports:
        """Submit to several accounts at once."""
        ...

    def reach(self, account: str) -> bool:
        """Whether the venue of an account answers."""
        ...

    def states(self) -> dict[str, AccountState]:
        """Return the accounts as they stand."""
        ...

    def fills(self) -> dict[str, list[Fill]]:
        """All executions by account, oldest first."""
        ...

    def close(self) -> None:
        """Release the accounts; their journals stay."""
        ...


class InProcessDesk:
    """Accounts held in this process."""

    def __init__(self, plans: Sequence[AccountPlan], panel: BarPanel) -> None:
        self._accounts = {plan.name: ReplayAccount(plan, panel) for plan in plans}
        self._latencies: list[float] = []

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names in order of preference."""
        return tuple(self._accounts)

    @property
    def latencies_ms(self) -> list[float]:
        """Milliseconds from each call of an account's `submit` to its answer."""
        return self._latencies

    def advance(self, row: int) -> dict[str, AccountState]:
        """Move every account to a row; return their states."""
        return {name: account.advance(row) for name, account in self._accounts.items()}

    def submit(self, orders: Orders) -> Reports:
        """Submit to several accounts, one after the other."""
        reports: Reports = {}
        for name, requests in orders.items():
            started = time.perf_counter()
            reports[name] = self._accounts[name].submit(requests)
            self._latencies.append((time.perf_counter() - started) * 1e3)
        return reports

    def reach(self, account: str) -> bool:
        """Whether the venue of an account answers."""
        return self._accounts[account].reach()

    def states(self) -> dict[str, AccountState]:
        """Return the accounts as they stand."""
        return {name: account.state() for name, account in self._accounts.items()}

    def fills(self) -> dict[str, list[Fill]]:
        """All executions by account, oldest first."""
        return {name: account.fills() for name, account in self._accounts.items()}

    def close(self) -> None:
        """Close every account."""
        for account in self._accounts.values():
            account.close()
