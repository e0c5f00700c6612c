"""What open orders count in the exposure, against a recount from the orders alone."""

import random
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nt_ray.risk.exposure import Exposure
from nt_ray.trader.claims import Claims
from nt_ray.trading.orders import Order, OrderRequest, OrderStatus, Side

IDS = [f"o{i}" for i in range(8)]


def recount(orders: dict[str, Order]) -> dict[Side, Decimal]:
    """Open quantity by side: links looked up anew for each order, in one symbol."""

    def first(name: str) -> str:
        while orders[name].request.replaces:
            name = orders[name].request.replaces
        return name

    def claim(name: str) -> Decimal:
        order, parent = orders[name], orders[first(name)].request.parent
        if not order.status.is_open:
            return Decimal(0)
        if not parent:
            return order.request.quantity - order.filled_quantity
        filled = sum(o.filled_quantity for i, o in orders.items() if first(i) == first(parent))
        return max(min(order.request.quantity, Decimal(filled)) - order.filled_quantity, Decimal(0))

    largest: dict[tuple[Side, str], Decimal] = {}
    for name, order in orders.items():
        # Of a group one trades, and of an order and its replacements.
        key = (order.request.side, orders[first(name)].request.oco_group or f"={first(name)}")
        largest[key] = max(largest.get(key, Decimal(0)), claim(name))
    return {side: sum((q for (s, _), q in largest.items() if s is side), Decimal(0)) for side in Side}


def request(choose: random.Random, name: str, before: dict[str, Order]) -> OrderRequest:
    links: dict[str, Any] = {}
    roots = [n for n, o in before.items() if not o.request.parent and not o.request.replaces]
    kind = choose.choice(["plain", "child", "group", "both", "replacement"])
    side = choose.choice(list(Side))
    if kind in ("child", "both") and roots:
        links["parent"] = choose.choice(roots)
    if kind in ("group", "both"):
        links["oco_group"] = choose.choice(["g", "h"])
    if kind == "replacement" and before:
        links = {"replaces": choose.choice(list(before))}
        side = before[links["replaces"]].request.side
    return OrderRequest(name, "KO", side, Decimal(choose.randint(1, 9)), "test", **links)


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_exposure_counts_what_a_recount_finds(choose: random.Random) -> None:
    claims, exposure = Claims(), Exposure()
    orders: dict[str, Order] = {}
    for name in IDS:
        order = Order(request(choose, name, orders), OrderStatus.SUBMITTED)
        orders[name] = order
        claims.enter(order.request, orders)
        claims.count(order, orders, exposure)
        for _ in range(choose.randint(0, 2)):
            changed = choose.choice(list(orders))
            one = orders[changed]
            filled = min(one.request.quantity, one.filled_quantity + choose.randint(0, 4))
            status = choose.choice([one.status, one.status, OrderStatus.CANCELED])
            status = OrderStatus.FILLED if filled == one.request.quantity else status
            orders[changed] = one.with_(filled_quantity=filled, status=status)
            claims.count(orders[changed], orders, exposure)
        line = exposure.line("KO")
        assert {Side.BUY: line.buys, Side.SELL: line.sells} == recount(orders)
    for name in reversed(IDS):
        orders[name] = orders[name].with_(status=OrderStatus.CANCELED)
        claims.count(orders[name], orders, exposure)
        claims.leave(orders[name].request, orders)
        del orders[name]
    assert (claims.held, claims.kin) == ({}, {})
    assert (exposure.line("KO").buys, exposure.line("KO").sells) == (0, 0)
