"""An account's link to its venue: what it asks there, turned into events for the journal.

It sends, replaces, cancels, looks up orders in doubt and collects what is new (`nt_ray.trader.news`). It decides
nothing about money, writes nothing and reads no books. A venue that cannot be reached gives no events; what is in
doubt stays in doubt.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from nt_ray.brokers.base import (
    AmbiguousError,
    Broker,
    Capabilities,
    NotSentError,
    OrderRejectedError,
    ReplaceKind,
    VenueOrder,
)
from nt_ray.brokers.custody import Custodian, VenueActivity
from nt_ray.risk.standing import Standing
from nt_ray.trader.cancel_link import CancelLink
from nt_ray.trader.news import Answers, Inquiry, arrived, given_up, left_open, refusals
from nt_ray.trading import events as e
from nt_ray.trading.orders import Order, OrderRequest, OrderStatus

_SILENT: Final = (NotSentError, AmbiguousError)
"""The venue gave no answer."""


class VenueLink:
    """Link to one venue."""

    def __init__(self, broker: Broker, symbols: Sequence[str] = (), custodian: Custodian | None = None) -> None:
        """`symbols`: what the account trades, and the venue is asked whether it may."""
        self._broker = broker
        self._custodian = custodian
        self._symbols = symbols
        self._capabilities = broker.capabilities()
        self.cancels = CancelLink(broker)
        self.standing = Standing(shorting=self._capabilities.short_selling)
        """What the venue was last known not to allow."""

    def cannot(self, request: OrderRequest) -> str:
        """Say what the venue cannot do of a request; empty where it can do all of it."""
        return lacking(self._capabilities, request)

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
        except NotSentError as error:
            return refusals(requests, str(error), now, not_sent=True)
        except OrderRejectedError as error:
            return refusals(requests, str(error), now, not_sent=False, verdict=error.verdict)
        except AmbiguousError:
            return []
        return [
            e.OrderAccepted(now, request.client_order_id, answer.venue_order_id)
            for request, answer in zip(requests, answers, strict=True)
        ]

    def settle(self, orders: Sequence[Order], now: datetime, *, send: bool) -> list[e.OrderEvent]:
        """Find out about orders in doubt that were sent in one call.

        What the venue does not know is sent under its id where `send` allows it. Else it is told as rejected, not sent,
        or as given up where it may arrive after all, so that it goes no other way.
        """
        try:
            found = [self._broker.order(order.request.client_order_id) for order in orders]
        except _SILENT:
            return []
        first = orders[0]
        if first.status is OrderStatus.PENDING_CANCEL:
            if found[0] is None and self._capabilities.lookup_proves_absence and self._capabilities.arrives_late:
                return given_up(orders, now)
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
            if self._capabilities.arrives_late:
                return given_up(orders, now)
            return refusals(requests, "It never reached the venue and is too late now.", now, not_sent=True)
        events: list[e.OrderEvent] = []
        for order, answer in zip(orders, found, strict=True):
            if answer is not None:
                events += arrived(order.request, answer, now)
        return events

    def ask(self, inquiry: Inquiry) -> Answers:
        """Ask all of an inquiry; executions first, so that none is missed of an order that has ended."""
        now = inquiry.time
        pending = [d.orders[0] for d in inquiry.doubts if d.orders[0].status is OrderStatus.PENDING_CANCEL]
        settled, done = self.cancels.again(pending, now) if len(pending) > 1 else ([], set())
        doubts = [doubt for doubt in inquiry.doubts if doubt.orders[0].request.client_order_id not in done]
        settled += [event for doubt in doubts for event in self.settle(doubt.orders, now, send=doubt.may_send)]
        try:
            fills = self._broker.fills(inquiry.since)
            left = left_open(inquiry, settled, fills)
            working = {o.client_order_id: o for o in self._broker.open_orders()} if left or inquiry.given_up else {}
            ended = [client_order_id for client_order_id in left if client_order_id not in working]
            listed = self._broker.orders(ended) if len(ended) > 1 else {}
            asked = [listed.get(client_order_id) or self._broker.order(client_order_id) for client_order_id in ended]
            back = inquiry.given_up & {*working, *(fill.client_order_id for fill in fills)}
            returned = [working.get(client_order_id) or self._broker.order(client_order_id) for client_order_id in back]
            self.standing = self._standing()
        except _SILENT as error:
            return Answers(now, settled, silence=str(error))
        ended_so, found = ([order for order in told if order is not None] for told in (asked, returned))
        return Answers(now, settled, fills, ended_so, found, self._activities(inquiry), standing=self.standing)

    def _activities(self, inquiry: Inquiry) -> Sequence[VenueActivity] | None:
        if inquiry.activities_since is None or self._custodian is None:
            return None
        try:
            return self._custodian.activities(inquiry.activities_since)
        except _SILENT:
            return None

    def _standing(self) -> Standing:
        try:
            found = self._broker.standing(self._symbols)
        except _SILENT:
            return self.standing
        return found if self._capabilities.short_selling else replace(found, shorting=False)

    def _settle_cancel(self, client_order_id: str, found: VenueOrder | None, now: datetime) -> e.OrderEvent | None:
        if found is not None:
            return self.cancels.one(client_order_id, now) if found.status.is_open else None
        return e.OrderCanceled(now, client_order_id) if self._capabilities.lookup_proves_absence else None


def lacking(able: Capabilities, request: OrderRequest) -> str:
    """Say what of a request is not among these capabilities; empty where all of it is."""
    if request.type not in able.order_types:
        return f"{request.type} orders"
    if request.time_in_force not in able.times_in_force:
        return f"time in force {request.time_in_force}"
    if len(request.client_order_id) > able.longest_client_id:
        return f"client ids of more than {able.longest_client_id} characters"
    if able.client_id is not None and not able.client_id.fullmatch(request.client_order_id):
        return f"client ids other than {able.client_id.pattern}"
    wanted = (
        (not able.fractional and request.quantity % 1 != 0, "fractions of a unit"),
        (request.notional is not None and not able.notional, "orders by notional"),
        (request.extended_hours and not able.extended_hours, "orders for extended hours"),
        (request.post_only and not able.post_only, "post-only orders"),
        (request.reduce_only and not able.reduce_only, "reduce-only orders"),
        (bool(request.parent or request.oco_group) and not able.linked, "linked orders"),
        (bool(request.replaces) and able.replace is ReplaceKind.NONE, "replacements"),
    )
    return next((what for missing, what in wanted if missing), "")
