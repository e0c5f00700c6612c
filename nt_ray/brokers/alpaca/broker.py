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

from nt_ray.brokers.alpaca import custody, executions, links, orders
from nt_ray.brokers.alpaca.access import AlpacaAccess
from nt_ray.brokers.alpaca.budget import BudgetLeft
from nt_ray.brokers.alpaca.identities import Identities
from nt_ray.brokers.alpaca.reference import Reference
from nt_ray.brokers.alpaca.refusals import ClockSkewError, NotFoundError, RefusedError, VenueRefusedError
from nt_ray.brokers.alpaca.standing import StandingBoard, blocked_because
from nt_ray.brokers.alpaca.states import States
from nt_ray.brokers.alpaca.stream import UpdateStream
from nt_ray.brokers.alpaca.transport import CONNECTIONS, REQUESTS_PER_MINUTE, Patience, Transport
from nt_ray.brokers.alpaca.unread import Unread
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
from nt_ray.brokers.custody import Holding, VenueActivity
from nt_ray.risk.standing import Standing
from nt_ray.trading.orders import Fill, OrderRequest

_T = TypeVar("_T")

_PAGE: Final = 500
_INSTANT: Final = timedelta(microseconds=1)
_FILLS: Final = ("fill", "partial_fill")
_MOST_WAITING: Final = 10_000
"""Messages of the stream that wait until the venue can be asked; beyond them the oldest are left to asking."""
_SHOWN: Final = 200


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
        connections: int = CONNECTIONS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`arrival_s`: how long an order may be under way; `most_skew_s`: how far the clocks may differ."""
        self._name = name
        self._patience = patience or Patience()
        self._arrival = arrival_s
        self._most_skew = most_skew_s
        self._now = now
        self._transport = Transport(access, access.trading, self._patience, requests_per_minute, connections, now)
        self._identities = Identities(self._transport)
        self._states = States()
        self._sent_at: dict[str, float] = {}
        self._began_at = self._patience.clock()
        self._arrived: deque[Json] = deque(maxlen=_MOST_WAITING)
        self._unread = Unread()
        self.reference = Reference(self._transport, self._patience.clock)
        self._board = StandingBoard(self.reference, self._read_account, self._patience.clock)
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

    @property
    def budget(self) -> BudgetLeft:
        """Requests that may still leave at this moment."""
        return self._transport.budget.left()

    def warnings(self) -> tuple[str, ...]:
        """What is not as it should be, as far as it is known without asking."""
        unknown, stream = sorted(self.unknown_words), self.stream
        told = (
            (bool(unknown), f"States of orders that nobody knows: {', '.join(unknown)}."),
            (bool(stream.dropped), f"Messages of the stream that nobody took in time: {stream.dropped}."),
            (bool(self._unread.count), f"Messages, executions and orders that cannot be read: {self._unread.count}."),
            (bool(stream.broken), f"Times that the stream broke: {stream.broken}."),
            (self._is_skewed(), f"The venue's clock differs by {self._transport.skew_s:.0f} s, so orders are refused."),
        )
        return tuple(sentence for is_so, sentence in told if is_so)

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

    def cancel_order(self, client_order_id: str) -> VenueOrder | None:
        """Ask for a cancel, one request where all goes well: what became of it comes by stream or is looked up."""
        venue_order_id = self._identities.venue_id(client_order_id, urgent=True)
        if venue_order_id is None:
            raise OrderRejectedError(f"alpaca knows no order {client_order_id}. Check the client id.")
        try:
            self._transport.cancel(f"/v2/orders/{venue_order_id}")
        except NotFoundError:
            raise
        except VenueRefusedError:
            # It has ended, or it is being replaced: what it says now is the answer.
            return self._answer(self._identities.by_venue_id(venue_order_id, urgent=True))
        return None

    def cancel_all(self) -> None:
        """Ask for a cancel of every order of the account, in one request."""
        # It tells of each order whether the cancel was taken; which of them work on, a look at them tells.
        self._transport.cancel("/v2/orders")

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

    def orders(self, client_order_ids: Sequence[str], *, urgent: bool = False) -> dict[str, VenueOrder]:
        """Look several orders up in the venue's lists; few are left out, and so is what lies far back."""
        found = self._identities.listed(set(client_order_ids), urgent=urgent)
        return {ours: self._answer(order) for ours, order in found.items()}

    def open_orders(self) -> list[VenueOrder]:
        """All orders that work, legs that wait for their turn included."""
        found: dict[str, VenueOrder] = {}
        read: set[str] = set()
        for order in self._listed_open():
            if word(order, "id") in read:
                continue
            try:
                family = self._identities.family(order)
                answers = [self._states.venue_order(member, self._identities.client_id(member)) for member in family]
            except UnreadableError as error:
                # Whoever has this order asks for it by itself.
                self._unread.note(f"Order {order.get('id')}", error)
                continue
            read.update(word(member, "id") for member in family)
            found.update({answer.client_order_id: answer for answer in answers if answer.status.is_open})
        return list(found.values())

    def fills(self, since: datetime | None) -> list[Fill]:
        """Executions at or after a time, oldest first; those that cannot be read or named are set aside."""
        items = list(filter(self._is_readable, self.reference.pages("/v2/account/activities/FILL", since)))
        self._identities.learn({word(item, "order_id") for item in items})
        found = [fill for item in items if (fill := self._execution(item)) is not None]
        return sorted((f for f in found if since is None or f.time >= since), key=lambda fill: fill.time)

    def updates(self) -> list[VenueUpdate]:
        """What the stream has brought since the last call; the first call begins to listen."""
        self.stream.start()
        self._arrived.extend(self.stream.drain())
        found: list[VenueUpdate] = []
        while self._arrived:
            message = self._arrived[0]
            try:
                found.append(self._update(message))
            except (UnreadableError, OrderRejectedError) as error:
                # Nobody will ever understand it, and others wait behind it; whoever asks learns what became of it.
                self._unread.note(f"A message of the stream, {str(message)[:_SHOWN]},", error)
            except (NotSentError, AmbiguousError):
                # It stays until the venue can be asked; what was understood before it is not held up.
                if not found:
                    raise
                break
            self._arrived.popleft()
        return found

    def positions(self) -> dict[str, Decimal]:
        """Signed position by symbol."""
        found: dict[str, Decimal] = {}
        for item in listing(self._transport.read("/v2/positions"), "positions"):
            size = abs(number(item, "qty"))
            found[word(item, "symbol")] = -size if item.get("side") == "short" else size
        return {symbol: quantity for symbol, quantity in found.items() if quantity}

    def holdings(self) -> list[Holding]:
        """All positions with what a unit has cost and is worth."""
        found = (custody.holding(item) for item in listing(self._transport.read("/v2/positions"), "positions"))
        return [held for held in found if held.quantity]

    def activities(self, since: datetime) -> list[VenueActivity]:
        """What was booked without an order, on the day of `since` or later, oldest first."""
        midnight = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        asked = {"activity_types": ",".join(custody.KINDS)}
        found: list[VenueActivity] = []
        for item in self.reference.pages("/v2/account/activities", midnight, asked):
            try:
                activity = custody.activity(item)
            except UnreadableError as error:
                self._unread.note(f"Activity {item.get('id')}", error)
                continue
            if activity is not None:
                found.append(activity)
        return found

    def account(self) -> VenueAccount:
        """Money at Alpaca."""
        item = self._read_account()
        self._board.note(item)
        cash, equity, power = (number(item, key) for key in ("cash", "equity", "buying_power"))
        return VenueAccount(word(item, "currency"), cash, equity, power, bool(blocked_because(item)))

    def standing(self, symbols: Sequence[str]) -> Standing:
        """What Alpaca does not let the account trade now."""
        return self._board.read(symbols)

    def ping(self) -> None:
        """Raise where Alpaca cannot be reached, refuses the keys, or has another time."""
        skew = (self.reference.clock().now - self._now()).total_seconds()
        if abs(skew) > self._most_skew:
            raise ClockSkewError(self._name, skew)

    def close(self) -> None:
        """Stop listening and close the connections."""
        self.stream.close()
        self._transport.close()

    def _send(self, method: str, path: str, body: Json, requests: Sequence[OrderRequest]) -> Json | None:
        """Send an order, the first of `requests`, with what comes with it, once; None where its id is taken."""
        names = [request.client_order_id for request in requests]
        if self._is_skewed():
            raise ClockSkewError(self._name, self._transport.skew_s)
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

    def _is_skewed(self) -> bool:
        return abs(self._transport.skew_s) > self._most_skew

    def _read_account(self) -> Json:
        return mapping(self._transport.read("/v2/account"), "an account")

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

    def _is_readable(self, execution: Json) -> bool:
        """Whether an execution can be read and was not set aside, as one that cannot is."""
        try:
            executions.from_activity(execution, "")
        except UnreadableError as error:
            self._unread.note(_execution_name(execution), error)
            return False
        return _execution_name(execution) not in self._unread

    def _execution(self, item: Json) -> Fill | None:
        """An execution under our name of its order; None where that order's name cannot be read."""
        try:
            return executions.from_activity(item, self._identities.client_id_of(word(item, "order_id")))
        except UnreadableError as error:
            self._unread.note(_execution_name(item), error)
            return None

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


def _execution_name(execution: Json) -> str:
    return f"Execution {execution.get('id') or str(execution)[:_SHOWN]}"


def _taken(client_order_id: str) -> OrderRejectedError:
    return OrderRejectedError(f"alpaca: {client_order_id} is a different order already. Use a new id.")
