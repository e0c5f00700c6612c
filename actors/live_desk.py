"""Live accounts of a cluster behind the dispatcher: each call goes to the account's actor itself, one hop.

An account whose actor does not come back cannot say whether it has an order, so the call fails and nothing is sent
elsewhere.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from actors.calls import settle
from actors.live_account import find
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest


class RayLiveAccounts:
    """Live accounts by name."""

    def __init__(self, names: Sequence[str]) -> None:
        self._handles: dict[str, Any] = {name: find(name) for name in names}

    def submit(self, account: str, request: OrderRequest) -> OrderReport:
        """Submit an order to an account."""
        reports: list[OrderReport] = self._call(account, "submit", [request])
        return reports[0]

    def find(self, client_order_id: str) -> dict[str, OrderReport]:
        """Reports on an order by the accounts that know it."""
        refs = {name: handle.find.remote(client_order_id) for name, handle in self._handles.items()}
        told: dict[str, OrderReport | None] = {}
        for name, ref in refs.items():
            again = partial(self._handles[name].find.remote, client_order_id)
            told[name] = settle(ref, again, f"Account {name}")
        return {name: report for name, report in told.items() if report is not None}

    def reach(self, account: str) -> bool:
        """Whether the venue of an account answers."""
        return bool(self._call(account, "reach"))

    def _call(self, account: str, method: str, *arguments: object) -> Any:
        def call() -> Any:
            return getattr(self._handles[account], method).remote(*arguments)

        return settle(call(), call, f"Account {account}")
