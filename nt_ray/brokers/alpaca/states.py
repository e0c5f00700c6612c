"""Alpaca's words for the state of an order, in ours.

A word that is not known is never guessed away: the order counts as working, and the word is reported. Where quantities
say more than the word (`calculated`, or fills on an order called new), they decide.
"""

import logging
from decimal import Decimal
from typing import Final

from nt_ray.brokers.alpaca.wire import Json, number, optional, word
from nt_ray.brokers.base import VenueOrder
from nt_ray.trading.orders import OrderStatus

_LOG: Final = logging.getLogger(__name__)

_STATUS: Final = {
    "accepted": OrderStatus.ACCEPTED,
    "accepted_for_bidding": OrderStatus.ACCEPTED,
    "canceled": OrderStatus.CANCELED,
    "done_for_day": OrderStatus.ACCEPTED,
    "expired": OrderStatus.EXPIRED,
    "filled": OrderStatus.FILLED,
    "held": OrderStatus.ACCEPTED,
    "new": OrderStatus.ACCEPTED,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "pending_cancel": OrderStatus.PENDING_CANCEL,
    "pending_new": OrderStatus.ACCEPTED,
    "pending_replace": OrderStatus.PENDING_REPLACE,
    "pending_review": OrderStatus.ACCEPTED,
    "rejected": OrderStatus.REJECTED,
    "replaced": OrderStatus.REPLACED,
    "stopped": OrderStatus.ACCEPTED,
    "suspended": OrderStatus.ACCEPTED,
}

_BY_QUANTITY: Final = "calculated"
"""Done for the day; whether it is filled only the quantities say."""


class States:
    """Reads states, and keeps the words that it did not know."""

    def __init__(self) -> None:
        self._unknown: set[str] = set()

    @property
    def unknown(self) -> frozenset[str]:
        """Words that the venue used and nobody knows."""
        return frozenset(self._unknown)

    def venue_order(self, order: Json, client_order_id: str, replaced_by: str = "") -> VenueOrder:
        """Read an order; `client_order_id` is our name of it."""
        filled = number(order, "filled_qty")
        status = self._status(word(order, "status"), filled, optional(order, "qty"))
        return VenueOrder(client_order_id, word(order, "id"), status, filled, replaced_by)

    def _status(self, said: str, filled: Decimal, wanted: Decimal | None) -> OrderStatus:
        if said == _BY_QUANTITY:
            done = wanted is not None and filled >= wanted
            status = OrderStatus.FILLED if done else OrderStatus.ACCEPTED
        else:
            known = _STATUS.get(said)
            if known is None and said not in self._unknown:
                self._unknown.add(said)
                _LOG.warning("alpaca: status %r is not known; the order counts as working", said)
            status = known or OrderStatus.ACCEPTED
        return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.ACCEPTED and filled else status
