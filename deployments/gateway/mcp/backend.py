"""What tools may ask of the platform beside its libraries: settings, accounts at venues, live sessions, jobs.

Tools know this protocol alone. One implementation opens accounts and works on jobs in this process, the other asks the
actors of the cluster. What changes something in an account goes through its door, as the routes do it.
"""

from collections.abc import Sequence
from typing import Protocol

from deployments.gateway.backend.jobs import Jobs
from deployments.gateway.backend.platform import Trading
from nt_ray.trader.reports import AccountState
from nt_ray.trading.orders import Fill, Order


class Backend(Trading, Protocol):
    """Settings, accounts, live sessions and jobs; doors, sessions and jobs are asked in the server's loop."""

    @property
    def jobs(self) -> Jobs:
        """Its jobs."""
        ...

    def state(self, account: str) -> AccountState:
        """Money and positions of an account; raises where there is none of this name."""
        ...

    def orders(self, account: str) -> Sequence[Order]:
        """All its orders, in order of entry."""
        ...

    def fills(self, account: str) -> Sequence[Fill]:
        """All its executions, oldest first."""
        ...

    def close(self) -> None:
        """Let go of what was opened."""
        ...
