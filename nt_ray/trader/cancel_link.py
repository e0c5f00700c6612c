"""Cancels at a venue, turned into events for the journal: one, many, all there are, and those that are still to come.

A cancel that is asked for and not confirmed is pending, and is asked for again until the venue says how the order has
ended. Several are looked at in one listing, and where everything is to end, one request asks for it, if the venue has
such a one. It writes nothing and reads no books.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nt_ray.brokers.base import AmbiguousError, Broker, NotSentError, OrderRejectedError, VenueOrder
from nt_ray.trading import events as e
from nt_ray.trading.orders import Order, OrderStatus

_SILENT: Final = (NotSentError, AmbiguousError)


class CancelLink:
    """Cancels at one venue."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def one(self, client_order_id: str, now: datetime) -> e.OrderEvent | None:
        """Ask for a cancel; None where the outcome is not known yet."""
        try:
            return self._asked(client_order_id, now)
        except NotSentError as error:
            return e.CancelRejected(now, client_order_id, str(error))

    def many(self, client_order_ids: Sequence[str], now: datetime, *, everything: bool) -> list[e.OrderEvent]:
        """Ask for several cancels, of `everything` in one request; what is not told is not known, and asked again."""
        if not (everything and self._broker.capabilities().cancels_all and len(client_order_ids) > 1):
            return self._one_by_one(client_order_ids, now)
        try:
            self._broker.cancel_all()
            found = self._broker.orders(client_order_ids, urgent=True)
        except (*_SILENT, OrderRejectedError):
            return []
        told = (_outcome(client_order_id, order, now) for client_order_id, order in found.items())
        return [event for event in told if event is not None]

    def again(self, orders: Sequence[Order], now: datetime) -> tuple[list[e.OrderEvent], set[str]]:
        """Look several pending cancels up at once, and ask again for those that work on; also return which were found.

        One that has ended otherwise is found and has no event: the news tells of it, executions first.
        """
        names = [order.request.client_order_id for order in orders]
        try:
            found = self._broker.orders(names, urgent=True)
        except _SILENT:
            return [], set(names)
        ended = [e.OrderCanceled(now, i) for i, order in found.items() if order.status is OrderStatus.CANCELED]
        working = [i for i, order in found.items() if order.status.is_open and order.status is not _PENDING]
        return [*ended, *self._one_by_one(working, now)], set(found)

    def _one_by_one(self, client_order_ids: Sequence[str], now: datetime) -> list[e.OrderEvent]:
        events = []
        for client_order_id in client_order_ids:
            try:
                event = self._asked(client_order_id, now)
            except NotSentError:
                # The next ones would fare no better; all of them are asked for again.
                break
            if event is not None:
                events.append(event)
        return events

    def _asked(self, client_order_id: str, now: datetime) -> e.OrderEvent | None:
        try:
            answer = self._broker.cancel_order(client_order_id)
        except OrderRejectedError as error:
            return e.CancelRejected(now, client_order_id, str(error))
        except AmbiguousError:
            return None
        return None if answer is None else _outcome(client_order_id, answer, now)


_PENDING: Final = OrderStatus.PENDING_CANCEL


def _outcome(client_order_id: str, answer: VenueOrder, now: datetime) -> e.OrderEvent | None:
    """Event of an order after a cancel was asked for; None where it may still come."""
    if answer.status is OrderStatus.CANCELED:
        return e.OrderCanceled(now, client_order_id)
    # That it filled or ended otherwise is for `news` to report, fills first; that it is not cancelled is known now.
    too_late = f"The venue tells that it is {answer.status}."
    return e.CancelRejected(now, client_order_id, too_late) if answer.status.is_final else None
