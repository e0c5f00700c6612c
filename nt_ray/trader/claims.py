"""What open orders may still trade, as it counts in the exposure.

An order by itself counts with what is left of it; one by notional with the quantity that its money buys at the mark.
A child counts from its parent's first fill on, for as much as the parent has filled. Of orders of which the venue lets
one trade only (a group of which one cancels the other, an order and its replacement) the largest of each symbol and
side counts. A replacement stands where the replaced order stood: with its parent, its children, its group.

Invariant: what this has opened in the exposure is `held`, order by order; an order that is not in it counts nothing.
Links are kept of open orders, and of ended ones for as much as they matter to others.
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_UP, Decimal
from typing import Final

from nt_ray.risk.exposure import Exposure
from nt_ray.trading.orders import Order, OrderRequest
from nt_ray.types import QUANTITY_DECIMALS

ZERO: Final = Decimal(0)
_FINEST: Final = Decimal(1).scaleb(-QUANTITY_DECIMALS)

_GROUP: Final = "="
_CHAIN: Final = "~"
"""Before the name of a group, and of a chain of replacements, among the `kin`; client ids begin with neither."""


class Claims:
    """Quantities counted by order, and which orders are linked: children by parent, members by group and chain."""

    __slots__ = ("changed", "held", "kin")

    def __init__(self) -> None:
        self.changed: dict[str, None] = {}
        """Orders whose share has changed since somebody took note."""
        self.held: dict[str, Decimal] = {}
        self.kin: dict[str, dict[str, None]] = {}

    def enter(self, request: OrderRequest, orders: Mapping[str, Order]) -> None:
        """Learn the links of an order."""
        for key in _keys(request, orders):
            self.kin.setdefault(key, {})[request.client_order_id] = None

    def leave(self, request: OrderRequest, orders: Mapping[str, Order]) -> None:
        """Forget the links of an order."""
        for key in _keys(request, orders):
            self._drop(key, request.client_order_id)

    def close(self, order: Order, orders: Mapping[str, Order], exposure: Exposure) -> None:
        """Count an order that has ended. Its links are forgotten, but in a chain that it has filled part of.

        Children of the chain may trade as much as its orders have filled together, those that have ended among them.
        """
        client_order_id = order.request.client_order_id
        for key in _keys(order.request, orders):
            if key.startswith(_CHAIN) and order.filled_quantity:
                self.kin.setdefault(key, {})[client_order_id] = None
            else:
                self._drop(key, client_order_id)
        self.count(order, orders, exposure)

    def count(self, order: Order, orders: Mapping[str, Order], exposure: Exposure) -> None:
        """Count an order as it stands now, and those whose share it changes."""
        if not self.kin and not order.request.replaces:
            self._hold(order, self._claim(order, orders, exposure), exposure)
            return
        for one in dict.fromkeys(self._touched(order, orders)):
            self._share(one, orders, exposure)

    def rivals(self, request: OrderRequest, orders: Mapping[str, Order]) -> list[str]:
        """Ids of orders of the same symbol and side of which only one may trade, this one among them where entered."""
        root = _root(request, orders)
        ids: dict[str, None] = {root: None}
        for key in (_CHAIN + root, _GROUP + _group(request, orders)):
            ids.update(self.kin.get(key, {}))
        ids.setdefault(request.client_order_id)
        alike = (request.symbol, request.side)
        return [i for i in ids if i in orders and (orders[i].request.symbol, orders[i].request.side) == alike]

    def _drop(self, key: str, client_order_id: str) -> None:
        members = self.kin.get(key, {})
        members.pop(client_order_id, None)
        if not members:
            self.kin.pop(key, None)

    def _touched(self, order: Order, orders: Mapping[str, Order]) -> Iterator[str]:
        """Ids of an order, its rivals, its children and their rivals."""
        yield from self.rivals(order.request, orders)
        for child in self.kin.get(_root(order.request, orders), {}):
            yield from self.rivals(orders[child].request, orders)

    def _share(self, client_order_id: str, orders: Mapping[str, Order], exposure: Exposure) -> None:
        """Count an order where it is the largest of its rivals, of equals the last by name, and else not at all."""
        order = orders[client_order_id]
        rivals = self.rivals(order.request, orders)
        largest = max(rivals, key=lambda i: (self._claim(orders[i], orders, exposure), i))
        claim = self._claim(order, orders, exposure) if largest == client_order_id else ZERO
        self._hold(order, claim, exposure)

    def _claim(self, order: Order, orders: Mapping[str, Order], exposure: Exposure) -> Decimal:
        """Quantity that an order by itself may still trade."""
        request = order.request
        if not order.status.is_open:
            return ZERO
        if request.notional is not None:
            mark = exposure.peek(request.symbol).mark
            if not mark:
                return self.held.get(request.client_order_id, ZERO)
            left = max(request.notional - order.filled_notional, ZERO)
            return (left / mark).quantize(_FINEST, ROUND_UP)
        parent = _parent(request, orders)
        if not parent:
            return order.remaining
        chain = self.kin.get(_CHAIN + parent, {})
        filled = sum((orders[i].filled_quantity for i in {parent: None, **chain} if i in orders), ZERO)
        return max(min(request.quantity, filled) - order.filled_quantity, ZERO)

    def _hold(self, order: Order, quantity: Decimal, exposure: Exposure) -> None:
        request = order.request
        before = self.held.get(request.client_order_id, ZERO)
        if quantity != before:
            exposure.open(request.symbol, request.side.sign, quantity - before)
            self.changed[request.client_order_id] = None
        if quantity:
            self.held[request.client_order_id] = quantity
        else:
            self.held.pop(request.client_order_id, None)


def _keys(request: OrderRequest, orders: Mapping[str, Order]) -> list[str]:
    keys = []
    if parent := _parent(request, orders):
        keys.append(parent)
    if group := _group(request, orders):
        keys.append(_GROUP + group)
    if request.replaces:
        keys.append(_CHAIN + _root(request, orders))
    return keys


def _root(request: OrderRequest, orders: Mapping[str, Order]) -> str:
    """Id of the first order in a chain of replacements."""
    while request.replaces and request.replaces in orders:
        request = orders[request.replaces].request
    return request.client_order_id


def _parent(request: OrderRequest, orders: Mapping[str, Order]) -> str:
    """Id of the first order in the chain that is the parent; empty where there is none."""
    while not request.parent and request.replaces in orders:
        request = orders[request.replaces].request
    parent = orders.get(request.parent)
    return request.parent if parent is None else _root(parent.request, orders)


def _group(request: OrderRequest, orders: Mapping[str, Order]) -> str:
    while not request.oco_group and request.replaces in orders:
        request = orders[request.replaces].request
    return request.oco_group
