"""Live accounts of a cluster behind the dispatcher: each call goes to the account's actor itself, one hop.

An account whose actor does not come back cannot say whether it has an order, so the call fails and nothing is sent
elsewhere.
"""

from collections.abc import Sequence

from actors.remote_account import RemoteAccount
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest


class RayLiveAccounts:
    """Live accounts by name."""

    def __init__(self, names: Sequence[str]) -> None:
        self._accounts = {name: RemoteAccount(name) for name in names}

    def submit(self, account: str, request: OrderRequest) -> OrderReport:
        """Submit an order to an account."""
        return self._accounts[account].submit([request])[0]

    def find(self, client_order_id: str) -> dict[str, OrderReport]:
        """Reports on an order by the accounts that know it, all of them asked at once."""
        asked = {name: account.begin_finding(client_order_id) for name, account in self._accounts.items()}
        told = {name: answer() for name, answer in asked.items()}
        return {name: report for name, report in told.items() if report is not None}

    def reach(self, account: str) -> bool:
        """Whether the venue of an account answers."""
        return self._accounts[account].reach()
