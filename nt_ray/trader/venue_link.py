"""An account's link to its venue: what it asks there, turned into events for the journal.

It sends, replaces, cancels, looks up orders in doubt and collects what is new (`nt_ray.trader.news`). It decides
nothing about money, writes nothing and reads no books. A venue that cannot be reached gives no events; what is in
doubt stays in doubt.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from nt_ray.brokers.base import AmbiguousError, Broker, NotSentError, OrderRejectedError, ReplaceKind, VenueOrder
from nt_ray.trader.news import Answers, Inquiry, arrived, left_open, refusals
from nt_ray.trading import events as e
from nt_ray.trading.orders import Order, OrderRequest, OrderStatus

_SILENT: Final = (NotSentError, AmbiguousError)
"""The venue gave no answer."""


class VenueLink:
    """Link to one venue."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._capabilities = broker.capabilities()

    def cannot(self, request: OrderRequest) -> str:
        """Say what the venue cannot do of a request; empty where it can do all of it."""
        able = self._capabilities
        if request.type not in able.order_types:
            return f"{request.type} orders"
        if request.time_in_force not in able.times_in_force:
            return f"time in force {request.time_in_force}"
        if len(request.client_order_id) > able.longest_client_id:
            return f"client ids of more than {able.longest_client_id} characters"
        wanted = (
            (request.notional is not None and not able.notional, "orders by notional"),
            (request.extended_hours and not able.extended_hours, "orders for extended hours"),
            (request.post_only and not able.post_only, "post-only orders"),
            (request.reduce_only and not able.reduce_only, "reduce-only orders"),
            (bool(request.parent or request.oco_group) and not able.linked, "linked orders"),
            (bool(request.replaces) and able.replace is ReplaceKind.NONE, "replacements"),
        )
        return next((what for missing, what in wanted if missing), "")

    def send(self, requests: Sequence[OrderRequest], now: datetime) -> list[e.OrderEvent]:
        """Send one order, or several that are linked; return what became of them, nothing where that is unknown."""
        first = requests[0]
        try:
            if first.replaces:
                answer = self._broker.replace_order(first)
                return [
                    e.OrderReplaced(now, first.replaces, first.client_order_id),
                    e.OrderAccepted(now, first.client_order_id, answer.venue_order_id),
                ]
            if len(requests) == 1 and not first.parent and not first.oco_group:
                answers = [self._broker.submit_order(first)]
            else:
                answers = self._broker.submit_linked(requests)
        except (NotSentError, OrderRejectedError) as error:
            return refusals(requests, str(error), now, not_sent=isinstance(error, NotSentError))
        except AmbiguousError:
            return []
        return [
            e.OrderAccepted(now, request.client_order_id, answer.venue_order_id)
            for request, answer in zip(requests, answers, strict=True)
        ]

    def cancel(self, client_order_id: str, now: datetime) -> e.OrderEvent | None:
        """Ask for a cancel; None where the outcome is not known yet."""
        try:
            answer = self._broker.cancel_order(client_order_id)
        except (NotSentError, OrderRejectedError) as error:
            return e.CancelRejected(now, client_order_id, str(error))
        except AmbiguousError:
            return None
        # An order that filled or ended otherwise is for `news` to report, fills first.
        return e.OrderCanceled(now, client_order_id) if answer.status is OrderStatus.CANCELED else None

    def settle(self, orders: Sequence[Order], now: datetime, *, send: bool) -> list[e.OrderEvent]:
        """Find out about orders in doubt that were sent in one call.

        What provably never arrived is sent under its id where `send` allows it, and else told as rejected, not sent.
        """
        try:
            found = [self._broker.order(order.request.client_order_id) for order in orders]
        except _SILENT:
            return []
        first = orders[0]
        if first.status is OrderStatus.PENDING_CANCEL:
            event = self._settle_cancel(first.request.client_order_id, found[0], now)
            if event is None:
                return []
            if found[0] is None and first.request.replaces:
                # Called off before it arrived: what it was to replace works on.
                return [e.ReplaceRejected(now, first.request.replaces, "Its replacement was called off."), event]
            return [event]
        if not any(found):
            if not self._capabilities.lookup_proves_absence:
                return []
            requests = [order.request for order in orders]
            if send:
                return self.send(requests, now)
            return refusals(requests, "It never reached the venue and is too late now.", now, not_sent=True)
        events: list[e.OrderEvent] = []
        for order, answer in zip(orders, found, strict=True):
            if answer is not None:
                events += arrived(order.request, answer, now)
        return events

    def ask(self, inquiry: Inquiry) -> Answers:
        """Ask all of an inquiry; executions first, so that none is missed of an order that has ended."""
        now = inquiry.time
        settled = [event for doubt in inquiry.doubts for event in self.settle(doubt.orders, now, send=doubt.may_send)]
        try:
            fills = self._broker.fills(inquiry.since)
            left = left_open(inquiry, settled, fills)
            working = {o.client_order_id for o in self._broker.open_orders()} if left else set()
            asked = [self._broker.order(client_order_id) for client_order_id in left if client_order_id not in working]
        except _SILENT as error:
            return Answers(now, settled, silence=str(error))
        return Answers(now, settled, fills, [found for found in asked if found is not None])

    def _settle_cancel(self, client_order_id: str, found: VenueOrder | None, now: datetime) -> e.OrderEvent | None:
        if found is not None:
            return self.cancel(client_order_id, now) if found.status.is_open else None
        return e.OrderCanceled(now, client_order_id) if self._capabilities.lookup_proves_absence else None
