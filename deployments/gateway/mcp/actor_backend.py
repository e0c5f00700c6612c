"""Accounts on the cluster: each call goes to the account's actor."""

from collections.abc import Sequence
from typing import Any, Final

from ray.exceptions import RayTaskError
from ray.util import list_named_actors

from actors.cluster import NAMESPACE
from actors.live_account import actor_name
from actors.live_handle import LiveHandle
from deployments.gateway.mcp.local_backend import NoAccountError
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.reports import AccountState, OrderReport
from nt_ray.trading.orders import Fill, Order, OrderRequest

PATIENCE_S: Final = 15.0
"""How long an account that is away is waited for."""


class ActorBackend:
    """Accounts that live as actors."""

    def __init__(self, settings: Settings, patience_s: float = PATIENCE_S) -> None:
        self._settings = settings
        self._patience_s = patience_s

    @property
    def settings(self) -> Settings:
        """Settings of the platform."""
        return self._settings

    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts whose actors have been started."""
        prefix = actor_name("")
        named = [found["name"] for found in list_named_actors(all_namespaces=True) if found["namespace"] == NAMESPACE]
        return tuple(sorted(name.removeprefix(prefix) for name in named if name.startswith(prefix)))

    def state(self, account: str) -> AccountState:
        """Money and positions of an account."""
        found: AccountState = self._call(account, "state")
        return found

    def orders(self, account: str) -> Sequence[Order]:
        """All its orders."""
        found: list[Order] = self._call(account, "orders")
        return found

    def fills(self, account: str) -> Sequence[Fill]:
        """All its executions."""
        found: list[Fill] = self._call(account, "fills")
        return found

    def submit(self, account: str, requests: Sequence[OrderRequest]) -> Sequence[OrderReport]:
        """Pass orders through its gate."""
        found: list[OrderReport] = self._call(account, "submit", list(requests))
        return found

    def close(self) -> None:
        """Let go of nothing: the actors live on."""

    def _call(self, account: str, method: str, *arguments: object) -> Any:
        known = self.accounts()
        if account not in known:
            raise NoAccountError(account, known)
        try:
            return LiveHandle(account, self._patience_s).call(method, *arguments)
        except RayTaskError as error:
            # Its own error, without the traceback of the process where it arose.
            if isinstance(error.cause, NeuralTraderError):
                raise error.cause from None
            raise
