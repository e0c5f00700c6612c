"""What tools may ask of the platform beside its libraries: settings, and the accounts at venues.

Tools know this protocol alone. One implementation opens accounts in this process, the other asks those that live on
the cluster.
"""

from collections.abc import Sequence
from typing import Protocol

from nt_ray.config import Settings
from nt_ray.trader.reports import AccountState, OrderReport
from nt_ray.trading.orders import Fill, Order, OrderRequest


class Backend(Protocol):
    """Settings and accounts."""

    @property
    def settings(self) -> Settings:
        """Settings of the platform."""
        ...

    def accounts(self) -> tuple[str, ...]:
        """Names of the accounts at venues."""
        ...

    def state(self, account: str) -> AccountState:
        """Money and positions of an account; `BadInputError` where there is none of this name."""
        ...

    def orders(self, account: str) -> Sequence[Order]:
        """All its orders, in order of entry."""
        ...

    def fills(self, account: str) -> Sequence[Fill]:
        """All its executions, oldest first."""
        ...

    def submit(self, account: str, requests: Sequence[OrderRequest]) -> Sequence[OrderReport]:
        """Pass orders through its gate; one report for each. The same client order id is the same order."""
        ...

    def close(self) -> None:
        """Let go of what was opened."""
        ...
