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


def test_an_order_whose_replacement_is_called_off_counts_again() -> None:
    claims, exposure = Claims(), Exposure()
    orders: dict[str, Order] = {}
    for name, replaces in (("a", ""), ("b", "a")):
        asked = OrderRequest(name, "KO", Side.BUY, Decimal(3), "test", replaces=replaces)
        orders[name] = Order(asked, OrderStatus.SUBMITTED)
        claims.enter(asked, orders)
        claims.count(orders[name], orders, exposure)
    orders["b"] = orders["b"].with_(status=OrderStatus.CANCELED)
    claims.close(orders["b"], orders, exposure)
    assert exposure.line("KO").buys == 3
    assert claims.held == {"a": 3}


@settings(max_examples=150)
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
            count = claims.close if status.is_final else claims.count
            count(orders[changed], orders, exposure)
        line = exposure.line("KO")
        assert {Side.BUY: line.buys, Side.SELL: line.sells} == recount(orders)
    for name in reversed(IDS):
        orders[name] = orders[name].with_(status=OrderStatus.CANCELED)
        claims.count(orders[name], orders, exposure)
        claims.leave(orders[name].request, orders)
        del orders[name]
    assert (claims.held, claims.kin) == ({}, {})
    assert (exposure.line("KO").buys, exposure.line("KO").sells) == (0, 0)


def test_links_of_orders_that_have_ended_are_forgotten_but_for_fills_that_children_may_trade() -> None:
    claims, exposure = Claims(), Exposure()
    orders: dict[str, Order] = {}

    def enter(name: str, side: Side = Side.BUY, **links: str) -> None:
        orders[name] = Order(OrderRequest(name, "KO", side, Decimal(9), "test", **links), OrderStatus.SUBMITTED)
        claims.enter(orders[name].request, orders)
        claims.count(orders[name], orders, exposure)

    def end(name: str, filled: int = 0) -> None:
        orders[name] = orders[name].with_(filled_quantity=Decimal(filled), status=OrderStatus.CANCELED)
        claims.close(orders[name], orders, exposure)

    # A quote that is replaced again and again, bracketed each time, leaves nothing behind.
    enter("q0")
    for number in range(1, 50):
        enter(f"q{number}", replaces=f"q{number - 1}")
        end(f"q{number - 1}")
        for exit_ in "ab":
            enter(f"x{number}{exit_}", Side.SELL, parent=f"q{number}", oco_group=f"g{number}")
        for exit_ in "ab":
            end(f"x{number}{exit_}")
        assert claims.kin == {"~q0": {f"q{number}": None}}
    end("q49")
    assert (claims.kin, claims.held) == ({}, {})
    # One of the chain trades after its end, so a child of any of them may sell as much.
    end("q20", filled=4)
    enter("late", Side.SELL, parent="q49")
    assert exposure.line("KO").sells == 4
    assert exposure.line("KO").buys == 0
