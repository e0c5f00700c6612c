"""Which order at Alpaca is which of ours.

Alpaca knows an order by an id of its own and by the client id that it was sent with; legs get a client id of the
venue's making, and ours follows from the order that they are legs of (`nt_ray.brokers.alpaca.links`). Guarantees:
what was found once is kept; everything can be found again from the venue alone, so a new process knows what the old
one knew.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Final

from nt_ray.brokers.alpaca.links import Leg, head_of, leg_id, leg_of
from nt_ray.brokers.alpaca.refusals import NotFoundError
from nt_ray.brokers.alpaca.transport import Transport
from nt_ray.brokers.alpaca.wire import Json, UnreadableError, listing, mapping, moment, stamp, word

_PAGE: Final = 500
_NEAR: Final = timedelta(seconds=5)
"""A head is submitted with its legs; this is how far from a leg it is searched for."""
_MOST_HOPS: Final = 1000
_MOST_PAGES: Final = 20
_MOST_LISTED_PAGES: Final = 4
_MANY: Final = 4
"""From so many orders on, a list of all is read rather than each."""
_UNLINKED: Final = (None, "", "simple", "mleg")
"""Classes of orders that bear their own names: of several options in one order, none is sent from here."""


class Identities:
    """Names of orders, found once and kept."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}

    def name(self, order: Json, ours: str) -> None:
        """Keep our name of an order."""
        theirs = word(order, "id")
        self._ours[theirs] = ours
        self._theirs[ours] = theirs

    def name_legs(self, order: Json) -> dict[Leg, Json]:
        """Keep the names of the legs that an order came with; return the legs as they were sent first."""
        head = self.client_id(self._trace(order))
        found = self.legs(order)
        for leg, item in found.items():
            self.name(item, leg_id(head, leg))
        return found

    def family(self, order: Json) -> list[Json]:
        """An order and, where it is linked, every order of its group as it stands now."""
        if order.get("order_class") in _UNLINKED:
            return [order]
        origin = self._trace(order)
        named = head_of(self.client_id(origin))
        head = (self.find(named[0]) if named else None) or origin
        nested = self.with_legs(head)
        self.name_legs(head | {"legs": nested.get("legs")})
        return [order, head, nested, *listing(nested.get("legs") or [], "legs")]

    def client_id(self, order: Json) -> str:
        """Our name of an order at the venue."""
        theirs = word(order, "id")
        if theirs not in self._ours:
            own = word(order, "client_order_id")
            # A replacement carries the name that its PATCH gave it.
            named = order.get("order_class") in _UNLINKED or order.get("replaces") or order.get("legs")
            self.name(order, own if named else self._name_of_leg(order) or own)
        return self._ours[theirs]

    def client_id_of(self, theirs: str) -> str:
        """Our name of the order that has this id at the venue."""
        known = self._ours.get(theirs)
        return known if known is not None else self.client_id(self.by_venue_id(theirs))

    def learn(self, wanted: set[str]) -> None:
        """Find our names of many orders at once, as far as the venue's lists go; the rest is asked for one by one."""
        missing = wanted - self._ours.keys()
        if len(missing) < _MANY:
            return
        query = {"status": "all", "nested": "true", "direction": "desc", "limit": str(_PAGE)}
        for _ in range(_MOST_PAGES):
            page = listing(self._transport.read("/v2/orders", query), "orders")
            for order in page:
                # One that cannot be read is none of those that are wanted, or is asked for by itself.
                with suppress(UnreadableError):
                    if order.get("order_class") in _UNLINKED or order.get("legs"):
                        self.client_id(order)
                    linked = order.get("order_class") not in _UNLINKED
                    if linked and missing & {item.get("id") for item in order.get("legs") or ()}:
                        self.name_legs(order)
            missing -= self._ours.keys()
            if not missing or len(page) < _PAGE:
                return
            query["until"] = stamp(moment(page[-1], "submitted_at"))

    def listed(self, wanted: set[str], *, urgent: bool = False) -> dict[str, Json]:
        """Orders by our names of them, as far as the newest of the venue's lists go; few are left out on purpose."""
        found: dict[str, Json] = {}
        if len(wanted) < _MANY:
            return found
        query = {"status": "all", "nested": "true", "direction": "desc", "limit": str(_PAGE)}
        for _ in range(_MOST_LISTED_PAGES):
            page = listing(self._transport.read("/v2/orders", query, urgent=urgent), "orders")
            for order in page:
                # One that cannot be read is none of those that are wanted, or is asked for by itself.
                with suppress(UnreadableError):
                    for member in self._members(order):
                        found.setdefault(self.client_id(member), member)
            if wanted <= found.keys() or len(page) < _PAGE:
                break
            query["until"] = stamp(moment(page[-1], "submitted_at"))
        return {ours: order for ours, order in found.items() if ours in wanted}

    def venue_id(self, ours: str, *, urgent: bool = False) -> str | None:
        """The venue's id of an order, asked for where it is not known; None where the venue does not know it."""
        if ours not in self._theirs and self.find(ours, urgent=urgent) is None:
            return None
        return self._theirs[ours]

    def _members(self, order: Json) -> list[Json]:
        """An order of a list and its legs, named."""
        if order.get("order_class") in _UNLINKED:
            return [order]
        legs = listing(order.get("legs") or [], "legs")
        if legs and any(word(leg, "id") not in self._ours for leg in legs):
            self.name_legs(order)
        return [order, *legs]

    def by_venue_id(self, theirs: str, *, urgent: bool = False) -> Json:
        """Ask for an order, with its legs, by the venue's id."""
        answer = self._transport.read(f"/v2/orders/{theirs}", {"nested": "true"}, urgent=urgent)
        return mapping(answer, "an order")

    def find(self, ours: str, *, urgent: bool = False) -> Json | None:
        """Ask for an order by our name of it; None where the venue does not know it."""
        try:
            if ours in self._theirs:
                return self.by_venue_id(self._theirs[ours], urgent=urgent)
            query = {"client_order_id": ours}
            answer = self._transport.read("/v2/orders:by_client_order_id", query, urgent=urgent)
        except NotFoundError:
            return self._find_leg(ours, urgent=urgent)
        order = mapping(answer, "an order")
        self.name(order, ours)
        return order

    def legs(self, order: Json) -> dict[Leg, Json]:
        """Legs that an order came with, as they were sent first: replacements are traced back."""
        found: dict[Leg, Json] = {}
        for item in listing(order.get("legs") or [], "legs"):
            leg = leg_of(item)
            if leg is None:
                raise UnreadableError(f"a leg of type {item.get('type')!r}")
            found[leg] = self._trace(item)
        return found

    def with_legs(self, order: Json) -> Json:
        """Ask for an order with its legs, which move on with its replacements."""
        nested = self.by_venue_id(word(order, "id"))
        while not nested.get("legs") and nested.get("replaced_by"):
            nested = self.by_venue_id(word(nested, "replaced_by"))
        return nested

    def _find_leg(self, ours: str, *, urgent: bool) -> Json | None:
        named = head_of(ours)
        head = self.find(named[0], urgent=urgent) if named else None
        if head is None or named is None:
            return None
        leg = self.legs(self.with_legs(head)).get(named[1])
        if leg is not None:
            self.name(leg, ours)
        return leg

    def _name_of_leg(self, leg: Json) -> str | None:
        """Our name of a leg that came without its head; None where no head is found."""
        theirs = word(leg, "id")
        submitted = moment(leg, "submitted_at")
        query = {"status": "all", "nested": "true", "direction": "asc", "limit": str(_PAGE)}
        query |= {"symbols": word(leg, "symbol"), "after": stamp(submitted - _NEAR), "until": stamp(submitted + _NEAR)}
        for _ in range(_MOST_PAGES):
            page = listing(self._transport.read("/v2/orders", query), "orders")
            for head in page:
                if head.get("id") == theirs:
                    return None
                if theirs in (word(item, "id") for item in self.legs(head).values()):
                    self.name_legs(head)
                    return self._ours.get(theirs)
            if len(page) < _PAGE:
                break
            query["after"] = stamp(moment(page[-1], "submitted_at"))
        return None

    def _trace(self, order: Json) -> Json:
        """The order that stood first in the place of this one."""
        for _ in range(_MOST_HOPS):
            if not order.get("replaces"):
                return order
            order = self.by_venue_id(word(order, "replaces"))
        raise UnreadableError(f"a chain of replacements longer than {_MOST_HOPS}")
