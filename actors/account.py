"""The account actor: one writer for one brokerage account.

Everything it knows lies in its folder: journal, venue's book and bars, so a restarted actor is complete after its
constructor. Methods are never retried by Ray; the desk repeats calls under the same ids.
"""

import ray

from nt_ray.market.archive import open_panel
from nt_ray.trader.replay_account import AccountPlan, ReplayAccount


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0)
class AccountActor(ReplayAccount):
    """Mailbox of a `ReplayAccount`."""

    def __init__(self, plan: AccountPlan) -> None:
        # Bars come from the account's folder, not from the object store: a restart must not depend on its owner.
        super().__init__(plan, open_panel(plan.bars_path))

    def ping(self) -> None:
        """Answer once the account has recovered."""
