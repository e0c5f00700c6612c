"""Accounts, sessions and jobs on the cluster: each call goes to an account's actor, or to a keeper."""

from collections.abc import Sequence
from typing import Any, Final

from ray.exceptions import RayTaskError

from actors.live_handle import LiveHandle
from deployments.gateway.backend.accounts import Accounts, ActorAccounts, names_now
from deployments.gateway.backend.jobs import ActorJobs, Jobs
from deployments.gateway.backend.sessions import ActorSessions, Sessions
from deployments.gateway.mcp.local_backend import NoAccountError
from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.reports import AccountState
from nt_ray.trading.orders import Fill, Order

PATIENCE_S: Final = 15.0
"""How long an account that is away is waited for."""


class ActorBackend:
    """Accounts that live as actors; an instance belongs to one event loop."""

    def __init__(self, settings: Settings, jobs: Jobs | None = None, patience_s: float = PATIENCE_S) -> None:
        self.settings = settings
        self.jobs: Jobs = jobs or ActorJobs(settings)
        self.accounts: Accounts = ActorAccounts(patience_s)
        self.sessions: Sessions = ActorSessions(settings)
        self._patience_s = patience_s

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

    def close(self) -> None:
        """Let go of nothing: the actors live on."""

    def _call(self, account: str, method: str) -> Any:
        known = names_now()
        if account not in known:
            raise NoAccountError(account, known)
        try:
            return LiveHandle(account, self._patience_s).call(method)
        except RayTaskError as error:
            # Its own error, without the traceback of the process where it arose.
            if isinstance(error.cause, NeuralTraderError):
                raise error.cause from None
            raise
