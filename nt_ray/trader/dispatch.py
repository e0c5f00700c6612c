"""The dispatcher: each order goes to one of several live accounts, and to another only where it certainly was not sent.

Guarantees: an order whose fate at one venue is unknown, or that was refused, goes nowhere else. The same client id is
the same order over all accounts: whoever repeats it, whatever can be reached by then and whichever dispatcher is asked,
is told of the one that exists. The routing table orders the accounts; among accounts by shares, an order's own id draws
one in proportion to them, so load is balanced and a repetition draws the same. It is no part of the way of an order
whose sender has an account of its own.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from math import log
from typing import Final, Protocol

from nt_ray.errors import ServiceError
from nt_ray.market.bars import AssetClass
from nt_ray.trader.reports import OrderReport
from nt_ray.trader.routing import RoutingPolicy, RoutingTable
from nt_ray.trading.orders import OrderRequest

_SPAN: Final = 2**64


class LiveAccounts(Protocol):
    """Live accounts by name, wherever they live."""

    def submit(self, account: str, request: OrderRequest) -> OrderReport:
        """Submit an order to an account."""
        ...

    def find(self, client_order_id: str) -> dict[str, OrderReport]:
        """Reports on an order by the accounts that know it; raises where one of them does not answer."""
        ...

    def reach(self, account: str) -> bool:
        """Whether the venue of an account answers."""
        ...


class Switches(Protocol):
    """Circuits and the routing table that follows from them."""

    @property
    def table(self) -> RoutingTable:
        """The routing table now in force."""
        ...

    def failed(self, account: str, now: float) -> RoutingTable:
        """Record that an account could not be reached; return the table then in force."""
        ...

    def probe(self, now: float, reach: Callable[[str], bool]) -> RoutingTable:
        """Probe open circuits that are due; return the table then in force."""
        ...


class NoRouteError(ServiceError):
    """No account can take an order."""

    code = "no_route"

    def __init__(self, request: OrderRequest) -> None:
        super().__init__(
            f"{request.client_order_id}: no account that trades {request.symbol} can be reached. "
            "Look at `nt-ray brokers status`, then send it again under the same id."
        )


class Dispatcher:
    """Sends orders to accounts."""

    def __init__(
        self,
        accounts: LiveAccounts,
        switches: Switches,
        clock: Callable[[], float],
        classes: Mapping[str, AssetClass] | None = None,
    ) -> None:
        """`clock` gives the seconds of the circuits; `classes` asset classes by symbol, else equities."""
        self._accounts = accounts
        self._switches = switches
        self._clock = clock
        self._classes = classes or {}

    def submit(self, request: OrderRequest) -> tuple[str, OrderReport]:
        """Send an order; return the account that has it, or that was last to turn it away, and its report."""
        told: tuple[str, OrderReport] | None = None
        known = self._accounts.find(request.client_order_id)
        for account, report in known.items():
            told = account, report
            if not report.not_sent:
                return account, self._accounts.submit(account, request)
        table = self._switches.table
        if len(table.reachable) < len(table.accounts):
            table = self._switches.probe(self._clock(), self._accounts.reach)
        for account in ranking(table, request, self._classes.get(request.symbol, AssetClass.EQUITY)):
            if account in known:
                continue
            report = self._accounts.submit(account, request)
            told = account, report
            if not report.not_sent:
                break
            self._switches.failed(account, self._clock())
        if told is None:
            raise NoRouteError(request)
        return told


def ranking(table: RoutingTable, request: OrderRequest, asset_class: AssetClass) -> list[str]:
    """Accounts that may take a whole order, best first."""
    able = table.able(asset_class)
    if table.policy is not RoutingPolicy.SHARES:
        return sorted(able, key=table.rank)
    return sorted(able, key=lambda account: -_draw(account, request.client_order_id) / float(table.shares[account]))


def _draw(account: str, client_order_id: str) -> float:
    """Logarithm of a number in (0, 1) that an order draws for an account.

    The account with the highest draw over its share wins with a probability in proportion to it (weighted rendezvous
    hashing: Schindelhauer and Schomaker, Weighted distributed hash tables, 2005).
    """
    drawn = int.from_bytes(sha256(f"{account} {client_order_id}".encode()).digest()[:8])
    return log((drawn + 0.5) / _SPAN)
