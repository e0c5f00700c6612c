"""A venue whose adapter is not made for several threads: calls take turns. It adds nothing and hides nothing else."""

import threading
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from nt_ray.brokers.base import Broker, Capabilities, VenueAccount, VenueOrder, VenueUpdate
from nt_ray.risk.standing import Standing
from nt_ray.trading.orders import Fill, OrderRequest


class OneAtATime:
    """One connection, shared between threads."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        """Name of the venue in configuration."""
        return self._broker.name

    def capabilities(self) -> Capabilities:
        """Declare what the venue can do."""
        return self._broker.capabilities()

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        """Send one order."""
        with self._turn:
            return self._broker.submit_order(request)

    def submit_linked(self, requests: Sequence[OrderRequest]) -> list[VenueOrder]:
        """Send linked orders."""
        with self._turn:
            return self._broker.submit_linked(requests)

    def replace_order(self, request: OrderRequest) -> VenueOrder:
        """Put an order in the place of another."""
        with self._turn:
            return self._broker.replace_order(request)

    def cancel_order(self, client_order_id: str) -> VenueOrder | None:
        """Ask for a cancel."""
        with self._turn:
            return self._broker.cancel_order(client_order_id)

    def cancel_all(self) -> None:
        """Ask for a cancel of everything."""
        with self._turn:
            self._broker.cancel_all()

    def order(self, client_order_id: str) -> VenueOrder | None:
        """Look an order up."""
        with self._turn:
            return self._broker.order(client_order_id)

    def orders(self, client_order_ids: Sequence[str], *, urgent: bool = False) -> dict[str, VenueOrder]:
        """Look several orders up."""
        with self._turn:
            return self._broker.orders(client_order_ids, urgent=urgent)

    def open_orders(self) -> list[VenueOrder]:
        """All orders that work at the venue."""
        with self._turn:
            return self._broker.open_orders()

    def fills(self, since: datetime | None) -> list[Fill]:
        """Executions at or after a time."""
        with self._turn:
            return self._broker.fills(since)

    def updates(self) -> list[VenueUpdate]:
        """What the venue has pushed since the last call."""
        with self._turn:
            return self._broker.updates()

    def positions(self) -> dict[str, Decimal]:
        """Signed position by symbol."""
        with self._turn:
            return self._broker.positions()

    def account(self) -> VenueAccount | None:
        """Money at the venue."""
        with self._turn:
            return self._broker.account()

    def standing(self, symbols: Sequence[str]) -> Standing:
        """What the venue does not let the account trade."""
        with self._turn:
            return self._broker.standing(symbols)

    def warnings(self) -> tuple[str, ...]:
        """What is not as it should be."""
        with self._turn:
            return self._broker.warnings()

    def ping(self) -> None:
        """Raise where the venue cannot be reached."""
        with self._turn:
            self._broker.ping()

    def close(self) -> None:
        """Let go of connections and files."""
        with self._turn:
            self._broker.close()
