"""The account actor: one writer for one brokerage account.

A thin shell. Everything it knows lies in its folder: journal, venue's book and bars, so a restarted actor is
complete after its constructor. Methods are never retried by Ray; the desk repeats calls under the same ids.
"""

from collections.abc import Sequence

import ray

from nt_ray.market.archive import open_panel
from nt_ray.trader.account import AccountState, OrderReport
from nt_ray.trader.replay_account import AccountPlan, ReplayAccount
from nt_ray.trading.orders import Fill, OrderRequest


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0)
class AccountActor:
    """Mailbox of a `ReplayAccount`."""

    def __init__(self, plan: AccountPlan) -> None:
        # Bars come from the account's folder, not from the object store: a restart must not depend on its owner.
        self._account = ReplayAccount(plan, open_panel(plan.bars_path))

    def ping(self) -> None:
        """Answer once the account has recovered."""

    def advance(self, row: int) -> AccountState:
        """Move the account to a row."""
        return self._account.advance(row)

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue."""
        return self._account.submit(requests)

    def reach(self) -> bool:
        """Whether the venue answers."""
        return self._account.reach()

    def state(self) -> AccountState:
        """Return the account as it stands."""
        return self._account.state()

    def fills(self) -> list[Fill]:
        """All executions booked so far."""
        return self._account.fills()

    def halt(self, scope: str, who: str, reason: str) -> None:
        """Set the kill switch of a scope."""
        self._account.halt(scope, who, reason)

    def close(self) -> None:
        """Close the account's files."""
        self._account.close()
