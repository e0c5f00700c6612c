"""How an account takes requests in: one by one, those linked to each other all or none.

Each passes the venue's capabilities and the gate, earlier ones of the batch counting as open; a child is judged as if
its parent had filled, orders of which one trades as if the others were not there. It knows no journal: what it found
comes back as events, and the books are as they were.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nt_ray.risk.gate import RiskGate
from nt_ray.risk.rules.base import Denial
from nt_ray.trader.books import Books
from nt_ray.trader.reports import OrderReport, capability_denial, duplicate_report
from nt_ray.trading import events as e
from nt_ray.trading.orders import OrderRequest, OrderStatus

Unit = tuple[OrderRequest, ...]
"""Requests that go to the venue in one call."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch that has passed the gate and lies in the journal; `to_send` is what the venue must get now.

    `parts`: what was done with it, from when to when in nanoseconds since 1970.
    """

    requests: tuple[OrderRequest, ...]
    refused: Mapping[int, OrderReport]
    to_send: tuple[Unit, ...]
    parts: tuple[tuple[str, int, int], ...] = ()

    @property
    def sent(self) -> list[str]:
        """Ids of what the venue must get."""
        return [request.client_order_id for unit in self.to_send for request in unit]

    def split(self, sizes: Sequence[int]) -> list["Prepared"]:
        """Give several callers, whose requests stand behind each other, their own parts; a unit is its first's."""
        parts, first = [], 0
        owners: dict[str, int] = {}
        for number, size in enumerate(sizes):
            for request in self.requests[first : first + size]:
                owners.setdefault(request.client_order_id, number)
            refused = {i - first: told for i, told in self.refused.items() if first <= i < first + size}
            parts.append((self.requests[first : first + size], refused))
            first += size
        return [
            Prepared(
                requests, refused, tuple(u for u in self.to_send if owners[u[0].client_order_id] == number), self.parts
            )
            for number, (requests, refused) in enumerate(parts)
        ]


class Intake:
    """One batch of requests on its way through the gate."""

    def __init__(self, books: Books, gate: RiskGate, cannot: Callable[[OrderRequest], str], now: datetime) -> None:
        self._books = books
        self._gate = gate
        self._cannot = cannot
        self._now = now
        self._waiting: list[OrderRequest] = []
        self._reserved: list[OrderRequest] = []
        self._replaced: set[str] = set()
        self.events: list[e.Event] = []

    def take(self, requests: Sequence[OrderRequest]) -> Prepared:
        """Judge a batch."""
        refused: dict[int, OrderReport] = {}
        fresh: dict[str, OrderRequest] = {}
        for index, request in enumerate(requests):
            known = fresh.get(request.client_order_id) or self._request(request.client_order_id)
            if known is None:
                fresh[request.client_order_id] = request
            elif known != request:
                refused[index] = duplicate_report(request)
        to_send = []
        try:
            for unit in units(list(fresh.values())):
                if self._judge(unit):
                    to_send.append(unit)
                    self._waiting.extend(unit)
        finally:
            # The fold of the journalled events reserves again; without them nothing is reserved.
            self._books.release(self._reserved)
        for told in refused.values():
            self.events.append(e.RequestRefused(self._now, told.request.client_order_id, told.rule, told.reason))
        return Prepared(tuple(requests), refused, tuple(to_send))

    def _judge(self, unit: Unit) -> bool:
        """Add the events of requests that belong together; tell whether they may be sent."""
        for earlier in self._waiting:
            self._reserve(earlier)
        self._waiting.clear()
        before = len(self._reserved)
        denial: Denial | None = None
        for place, request in enumerate(unit):
            denial = self._denial(request, unit)
            if denial is not None:
                self._replaced.difference_update(earlier.replaces for earlier in unit[:place])
                break
            if request.replaces:
                self._replaced.add(request.replaces)
            if place + 1 < len(unit):
                self._reserve(request)
        if len(unit) > 1:
            self._books.release(self._reserved[before:])
            del self._reserved[before:]
        for at, request in enumerate(unit):
            name = request.client_order_id
            self.events.append(e.OrderInitialized(self._now, request))
            if denial is None:
                if request.replaces:
                    self.events.append(e.PendingReplace(self._now, request.replaces, name))
                self.events.append(e.OrderSubmitted(self._now, name))
            else:
                told = denial if at == place else _of_another(request, unit[place])
                self.events.append(e.OrderDenied(self._now, name, told.rule, told.limit, told.value, told.reason))
        return denial is None

    def _denial(self, request: OrderRequest, unit: Unit) -> Denial | None:
        cannot = self._cannot(request)
        if cannot:
            return capability_denial(request, cannot)
        if len(unit) == 1 and not request.replaces:
            return self._gate.check(request, self._books)
        if request.replaces:
            found = self._not_replaceable(request)
            if found is not None:
                return found
        exits = [one for one in unit if one.parent == request.client_order_id]
        with self._books.supposing(request):
            return self._gate.check(request, self._books, exits)

    def _not_replaceable(self, request: OrderRequest) -> Denial | None:
        old = self._books.orders.get(request.replaces)
        status = "unknown" if old is None else old.status
        if request.replaces in self._replaced:
            status = OrderStatus.PENDING_REPLACE
        if old is not None and (status in (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)):
            alike = (old.request.symbol, old.request.side) == (request.symbol, request.side)
            if alike:
                return None
            status = "of another symbol or side"
        reason = f"{request.client_order_id}: {request.replaces} is {status} and cannot be replaced. Send a new order."
        return Denial("replace", OrderStatus.ACCEPTED, status, reason)

    def _reserve(self, request: OrderRequest) -> None:
        self._books.reserve(request)
        self._reserved.append(request)

    def _request(self, client_order_id: str) -> OrderRequest | None:
        order = self._books.orders.get(client_order_id)
        return None if order is None else order.request


def units(requests: Sequence[OrderRequest]) -> list[Unit]:
    """Put requests together that name each other as parent or are of one group, in the order of their first."""
    found: list[dict[str, OrderRequest]] = []
    for request in requests:
        mine = {request.client_order_id: request}
        if request.parent or request.oco_group:
            for other in [u for u in found if any(_linked(request, one) for one in u.values())]:
                mine = other | mine
                found.remove(other)
        found.append(mine)
    return [tuple(unit.values()) for unit in found]


def _linked(request: OrderRequest, earlier: OrderRequest) -> bool:
    if request.oco_group and request.oco_group == earlier.oco_group:
        return True
    return request.parent == earlier.client_order_id


def _of_another(request: OrderRequest, denied: OrderRequest) -> Denial:
    name = denied.client_order_id
    return Denial("linked", "all", name, f"{request.client_order_id}: {name}, to which it is linked, was denied.")
