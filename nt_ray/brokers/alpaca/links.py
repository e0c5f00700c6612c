"""Linked orders: brackets, one-triggers-other, one-cancels-other; each is sent to Alpaca as one order with legs.

Alpaca names legs itself. Here a leg is named after the order that the venue gets: `ID.tp` takes the profit and
`ID.sl` stops the loss, so that the name alone leads to the leg, in any process at any time. `leg_id` makes such
names; linked requests with others are refused.

    bracket   entry; limit and stop, children of the entry, in one OCO group
    oto       entry; a limit or a stop, child of the entry
    oco       limit and stop in one OCO group, without a parent; the limit is the order that the venue gets
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nt_ray.brokers.alpaca.orders import body, is_same
from nt_ray.brokers.alpaca.refusals import RefusedError
from nt_ray.brokers.alpaca.wire import Json, plain, word
from nt_ray.trading.orders import OrderRequest, OrderType, TimeInForce


class Leg(StrEnum):
    """What a leg is for; the value ends its name."""

    TAKE_PROFIT = "tp"
    STOP_LOSS = "sl"


_TYPES: Final = {
    OrderType.LIMIT: Leg.TAKE_PROFIT,
    OrderType.STOP: Leg.STOP_LOSS,
    OrderType.STOP_LIMIT: Leg.STOP_LOSS,
}


def leg_id(head: str, leg: Leg) -> str:
    """Name of a leg of the order `head`."""
    return f"{head}.{leg}"


def head_of(client_order_id: str) -> tuple[str, Leg] | None:
    """The order that a leg's name belongs to, and which leg it names; None where it is no such name."""
    head, _, ending = client_order_id.rpartition(".")
    return (head, Leg(ending)) if head and ending in tuple(Leg) else None


def leg_of(order: Json) -> Leg | None:
    """Which leg an order at the venue is, by its type; None where it can be none."""
    return _TYPES.get(OrderType(kind)) if (kind := word(order, "type")) in tuple(OrderType) else None


@dataclass(frozen=True, slots=True)
class Group:
    """Linked orders as the venue gets them: the order itself and its legs."""

    order_class: str
    head: OrderRequest
    legs: tuple[tuple[Leg, OrderRequest], ...]

    def body(self) -> Json:
        """Write the group as the body of one POST."""
        written = body(self.head) | {"order_class": self.order_class}
        if self.order_class == "oco":
            written["take_profit"] = {"limit_price": written.pop("limit_price")}
        for leg, request in self.legs:
            key = "take_profit" if leg is Leg.TAKE_PROFIT else "stop_loss"
            named = (("stop_price", request.stop_price), ("limit_price", request.limit_price))
            written[key] = {name: plain(price) for name, price in named if price is not None}
        return written

    def is_same(self, order: Json, legs: dict[Leg, Json]) -> bool:
        """Whether an order at the venue and its legs are this group."""
        return (
            order.get("order_class") == self.order_class
            and is_same(self.head, order)
            and legs.keys() == {leg for leg, _ in self.legs}
            and all(is_same(request, legs[leg]) for leg, request in self.legs)
        )


def group(requests: Sequence[OrderRequest]) -> Group:
    """Read linked requests as one of the venue's groups; raise `RefusedError` where they are none."""
    children = [r for r in requests if r.parent]
    heads = [r for r in requests if not r.parent]
    by_leg = {_TYPES[r.type]: r for r in (children or heads) if r.type in _TYPES}
    if children:
        fault = _children_fault(heads, children, by_leg)
        order_class, head = "bracket" if len(children) > 1 else "oto", heads[0] if heads else children[0]
        legs = tuple(by_leg.items())
    else:
        fault = _oco_fault(heads, by_leg)
        order_class, head = "oco", by_leg.get(Leg.TAKE_PROFIT, requests[0])
        legs = tuple((leg, r) for leg, r in by_leg.items() if leg is Leg.STOP_LOSS)
    fault = fault or _common_fault(head, legs)
    if fault:
        names = ", ".join(r.client_order_id for r in requests)
        raise RefusedError(f"alpaca cannot link {names}: {fault}")
    return Group(order_class, head, legs)


def _children_fault(heads: list[OrderRequest], children: list[OrderRequest], by_leg: dict[Leg, OrderRequest]) -> str:
    if len(heads) != 1 or any(c.parent != heads[0].client_order_id for c in children):
        return "the legs name another parent than the one order they come with. Send one entry with its own legs."
    if len(by_leg) != len(children):
        return "legs are a limit order that takes the profit and a stop order that stops the loss. Give one of each."
    groups = {c.oco_group for c in children}
    if heads[0].oco_group or (len(children) > 1 and (len(groups) > 1 or "" in groups)):
        return "the two legs of a bracket are one oco_group, and its entry is in none. Name the group on both legs."
    return ""


def _oco_fault(heads: list[OrderRequest], by_leg: dict[Leg, OrderRequest]) -> str:
    if len(heads) != len(Leg) or len(by_leg) != len(Leg) or len({h.oco_group for h in heads}) > 1:
        return "one-cancels-other is a limit order and a stop order of one oco_group. Give these two."
    return "" if heads[0].oco_group else "they have neither parent nor oco_group. Send them one by one."


def _common_fault(head: OrderRequest, legs: tuple[tuple[Leg, OrderRequest], ...]) -> str:
    if head.time_in_force not in (TimeInForce.DAY, TimeInForce.GTC) or head.extended_hours or head.notional is not None:
        return "linked orders are day or gtc, by quantity and in regular hours. Change the terms."
    if head.quantity != head.quantity.to_integral_value():
        return f"linked orders are of whole shares, not of {head.quantity}. Round the quantity."
    if head_of(head.client_order_id) is not None:
        return f"{head.client_order_id} is named like a leg. Give it a name that does not end so."
    # In a one-cancels-other all orders have one side; legs of an entry have the other.
    opposite = bool(legs) and bool(legs[0][1].parent)
    for leg, request in legs:
        if request.client_order_id != leg_id(head.client_order_id, leg):
            wanted = leg_id(head.client_order_id, leg)
            return f"the name {request.client_order_id} does not lead to its leg. Name it {wanted}."
        alike = (request.symbol, request.quantity, request.time_in_force, request.side is not head.side)
        if alike != (head.symbol, head.quantity, head.time_in_force, opposite) or request.extended_hours:
            return (
                f"{request.client_order_id} differs in symbol, side, quantity or terms. Give legs that close the entry."
            )
    return ""
