"""Alpaca behind the interface of every venue.

Guarantees: an order leaves this machine at most once for each call; its outcome is the venue's word, `NotSentError`
or `AmbiguousError`. Client ids are unique at Alpaca for ever, so a request that is sent again is the same order: the
venue refuses the second one, and the adapter answers with the first where it is equal. Orders in doubt are found by
our id, legs included, by any process. A lookup that finds nothing proves nothing while the order may still be under
way: `arrival_s` from its sending, and in a new process from the start, since the one before may just have sent it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from nt_ray.brokers.alpaca import executions, links, orders
from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.identities import Identities
from nt_ray.brokers.alpaca.reference import Reference
from nt_ray.brokers.alpaca.refusals import ClockSkewError, NotFoundError, RefusedError, VenueRefusedError
from nt_ray.brokers.alpaca.states import States
from nt_ray.brokers.alpaca.stream import UpdateStream
from nt_ray.brokers.alpaca.transport import REQUESTS_PER_MINUTE, Patience, Transport
from nt_ray.brokers.alpaca.wire import Json, UnreadableError, listing, mapping, moment, number, stamp, word
from nt_ray.brokers.base import (
    AmbiguousError,
    Capabilities,
    NotSentError,
    OrderRejectedError,
    VenueAccount,
    VenueOrder,
    VenueUpdate,
)
from nt_ray.trading.orders import Fill, OrderRequest, OrderStatus

_T = TypeVar("_T")

_PAGE: Final = 500
_INSTANT: Final = timedelta(microseconds=1)
_FILLS: Final = ("fill", "partial_fill")
_BLOCKS: Final = ("account_blocked", "trading_blocked", "trade_suspended_by_user")


class AlpacaBroker:
    """One account at Alpaca. Nothing is sent before the first call."""

    def __init__(
        self,
        name: str,
        access: AlpacaAccess,
        patience: Patience | None = None,
        *,
        arrival_s: float = 5.0,
        most_skew_s: float = 30.0,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`arrival_s`: how long an order may be under way; `most_skew_s`: how far the clocks may differ."""
        self._name = name
        self._patience = patience or Patience()
        self._arrival = arrival_s
        self._most_skew = most_skew_s
        self._now = now
        self._transport = Transport(access, access.trading, self._patience, requests_per_minute)
        self._identities = Identities(self._transport)
        self._states = States()
        self._sent_at: dict[str, float] = {}
        self._began_at = self._patience.clock()
        self._arrived: deque[Json] = deque()
        self.reference = Reference(self._transport)
        self.stream = UpdateStream(access, self._patience.timeout_s, self._patience.jitter)

    @property
    def name(self) -> str:
        """Name of the venue in configuration."""
        return self._name

    @property
    def unknown_words(self) -> frozenset[str]:
        """States that the venue named and nobody knows; orders in them count as working."""
        return self._states.unknown

    def capabilities(self) -> Capabilities:
        """Declare what the venue can do."""
        return orders.CAPABILITIES

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        """Send one order, once."""
        if request.parent or request.oco_group or request.replaces:
            raise RefusedError(
                f"alpaca, {request.client_order_id}: a link needs the orders it links. Send them together."
            )
        orders.check(request, self.reference.asset(request.symbol))
        order = self._send("POST", "/v2/orders", orders.body(request), [request])
        if order is None:
            order = self._known(request.client_order_id)
            if not orders.is_same(request, order):
                raise _taken(request.client_order_id)
        return self._answer(order)

    def submit_linked(self, requests: Sequence[OrderRequest]) -> list[VenueOrder]:
        """Send linked orders as one order with legs; a single request without links as itself."""
        if len(requests) == 1:
            return [self.submit_order(requests[0])]
        group = links.group(requests)
        for request in requests:
            orders.check(request, self.reference.asset(request.symbol))
        head = group.head.client_order_id
        order = self._send(
            "POST", "/v2/orders", group.body(), [group.head, *(r for r in requests if r is not group.head)]
        )
        is_new = order is not None
        nested = self._in_doubt(lambda: self._identities.with_legs(order or self._known(head)))
        legs = self._in_doubt(lambda: self._identities.name_legs(nested))
        order = order or nested
        if not is_new and not group.is_same(order, legs):
            raise _taken(head)
        found = {head: order} | {links.leg_id(head, leg): item for leg, item in legs.items()}
        missing = [r.client_order_id for r in requests if r.client_order_id not in found]
        if missing:
            raise AmbiguousError(f"alpaca answered without the legs {', '.join(missing)}. Look them up.")
        return [self._answer(found[r.client_order_id]) for r in requests]

    def replace_order(self, request: OrderRequest) -> VenueOrder:
        """Put an order in the place of another, once; one that stands there already is given as it is."""
        orders.check(request, self.reference.asset(request.symbol))
        old = self._identities.find(request.replaces)
        if old is None:
            raise OrderRejectedError(f"alpaca knows no order {request.replaces}. Check the client id.")
        if old.get("replaced_by"):
            return self._standing(request, word(old, "replaced_by"))
        body = orders.replacement(request, old)
        order = self._send("PATCH", f"/v2/orders/{word(old, 'id')}", body, [request])
        if order is None:
            order = self._known(request.client_order_id)
            if not orders.is_same(request, order):
                raise _taken(request.client_order_id)
        return self._answer(order)

    def cancel_order(self, client_order_id: str) -> VenueOrder:
        """Ask for a cancel; the answer is the order as it then stands, or pending where that cannot be read."""
        order = self._identities.find(client_order_id, urgent=True)
        if order is None:
            raise OrderRejectedError(f"alpaca knows no order {client_order_id}. Check the client id.")
        before = self._states.venue_order(order, client_order_id)
        if before.status.is_final:
            return self._answer(order)
        try:
            self._transport.cancel(f"/v2/orders/{before.venue_order_id}")
        except NotFoundError:
            raise
        except VenueRefusedError:
            # It ended in the meantime, or it is being replaced: what it says now is the answer.
            return self._answer(self._identities.by_venue_id(before.venue_order_id, urgent=True))
        pending = VenueOrder(client_order_id, before.venue_order_id, OrderStatus.PENDING_CANCEL, before.filled_quantity)
        try:
            after = self._answer(self._identities.by_venue_id(before.venue_order_id, urgent=True))
        except (NotSentError, AmbiguousError):
            return pending
        # A reading that still calls the order working is older than the cancel.
        return after if after.status.is_final else pending

    def order(self, client_order_id: str) -> VenueOrder | None:
        """Look an order up; raises `AmbiguousError` where it may still be under way."""
        found = self._identities.find(client_order_id)
        if found is not None:
            self._sent_at.pop(client_order_id, None)
            return self._answer(found)
        sent_at = self._sent_at.get(client_order_id, self._began_at)
        if self._patience.clock() - sent_at < self._arrival:
            raise AmbiguousError(
                f"alpaca does not know {client_order_id} yet, it may be under way. Ask in {self._arrival:g} s."
            )
        self._sent_at.pop(client_order_id, None)
        return None

    def open_orders(self) -> list[VenueOrder]:
        """All orders that work, legs that wait for their turn included."""
        found: dict[str, VenueOrder] = {}
        read: set[str] = set()
        for order in self._listed_open():
            if word(order, "id") in read:
                continue
            for member in self._identities.family(order):
                read.add(word(member, "id"))
                answer = self._states.venue_order(member, self._identities.client_id(member))
                if answer.status.is_open:
                    found[answer.client_order_id] = answer
        return list(found.values())

    def fills(self, since: datetime | None) -> list[Fill]:
        """Executions at or after a time, oldest first."""
        items = self.reference.pages("/v2/account/activities/FILL", since)
        self._identities.learn({word(item, "order_id") for item in items})
        found = [executions.from_activity(i, self._identities.client_id_of(word(i, "order_id"))) for i in items]
        return sorted((f for f in found if since is None or f.time >= since), key=lambda fill: fill.time)

    def updates(self) -> list[VenueUpdate]:
        """What the stream has brought since the last call; the first call begins to listen."""
        self.stream.start()
        self._arrived.extend(self.stream.drain())
        found = []
        while self._arrived:
            # A message leaves the queue when it is understood, so none is lost where the venue cannot be asked.
            found.append(self._update(self._arrived[0]))
            self._arrived.popleft()
        return found

    def positions(self) -> dict[str, Decimal]:
        """Signed position by symbol."""
        found: dict[str, Decimal] = {}
        for item in listing(self._transport.read("/v2/positions"), "positions"):
            size = abs(number(item, "qty"))
            found[word(item, "symbol")] = -size if item.get("side") == "short" else size
        return {symbol: quantity for symbol, quantity in found.items() if quantity}

    def account(self) -> VenueAccount:
        """Money at Alpaca."""
        item = mapping(self._transport.read("/v2/account"), "an account")
        blocked = any(item.get(key) is True for key in _BLOCKS) or item.get("status") != "ACTIVE"
        return VenueAccount(
            word(item, "currency"), number(item, "cash"), number(item, "equity"), number(item, "buying_power"), blocked
        )

    def ping(self) -> None:
        """Raise where Alpaca cannot be reached, refuses the keys, or has another time."""
        skew = (self.reference.clock().now - self._now()).total_seconds()
        if abs(skew) > self._most_skew:
            raise ClockSkewError(
                f"{self._name}: the venue's clock differs from this machine's by {skew:.0f} s. Set this clock by NTP."
            )

    def close(self) -> None:
        """Stop listening and close the connections."""
        self.stream.close()
        self._transport.close()

    def _send(self, method: str, path: str, body: Json, requests: Sequence[OrderRequest]) -> Json | None:
        """Send an order, the first of `requests`, with what comes with it, once; None where its id is taken."""
        names = [request.client_order_id for request in requests]
        try:
            order = mapping(self._transport.send(method, path, body), "an order")
            self._identities.name(order, names[0])
        except AmbiguousError:
            self._sent_at.update(dict.fromkeys(names, self._patience.clock()))
            raise
        except VenueRefusedError as error:
            if error.is_duplicate:
                return None
            raise
        for name in names:
            self._sent_at.pop(name, None)
        return order

    def _known(self, client_order_id: str) -> Json:
        """The order that has this id at the venue, which said that there is one."""
        found = self._in_doubt(lambda: self._identities.find(client_order_id))
        if found is None:
            raise AmbiguousError(f"alpaca says that {client_order_id} is taken and does not find it. Ask again later.")
        return found

    def _in_doubt(self, ask: Callable[[], _T]) -> _T:
        """Ask about an order that the venue has: silence then leaves it in doubt, not unsent."""
        try:
            return ask()
        except NotSentError as error:
            raise AmbiguousError(f"alpaca has the order and does not answer. {error}") from error

    def _standing(self, request: OrderRequest, replacement: str) -> VenueOrder:
        """The order that replaced another already, where it is the one asked for."""
        order = self._identities.by_venue_id(replacement)
        if self._identities.client_id(order) != request.client_order_id:
            raise OrderRejectedError(
                f"alpaca: {request.replaces} was replaced before. Replace what stands in its place."
            )
        if not orders.is_same(request, order):
            raise _taken(request.client_order_id)
        return self._answer(order)

    def _answer(self, order: Json) -> VenueOrder:
        """An order in our words."""
        by = order.get("replaced_by")
        ours = self._identities.client_id(order)
        return self._states.venue_order(order, ours, self._identities.client_id_of(str(by)) if by else "")

    def _update(self, update: Json) -> VenueUpdate:
        order = mapping(update.get("order"), "an order")
        answer = self._answer(order)
        if update.get("event") not in _FILLS:
            return VenueUpdate(answer)
        return VenueUpdate(answer, executions.from_update(update, order, answer.client_order_id))

    def _listed_open(self) -> list[Json]:
        query = {"status": "open", "nested": "true", "direction": "asc", "limit": str(_PAGE)}
        found: list[Json] = []
        while True:
            page = listing(self._transport.read("/v2/orders", query), "orders")
            found.extend(page)
            if len(page) < _PAGE:
                return found
            # Orders of one instant may stand on both sides of the cut, so that instant is asked for again.
            after = stamp(moment(page[-1], "submitted_at") - _INSTANT)
            if after == query.get("after"):
                raise UnreadableError("open orders whose pages do not advance")
            query["after"] = after


def _taken(client_order_id: str) -> OrderRejectedError:
    return OrderRejectedError(f"alpaca: {client_order_id} is a different order already. Use a new id.")
