"""Which links between orders the simulated exchange accepts, and what a replacement takes over.

Orders are linked where they are sent together: a parent comes before its children and has none itself, a group has
two members or more. A replacement stands in the group, with the parent and the children of the order whose place it
takes; so that no exit grows beyond its entry, an exit cannot be made larger, and an entry that has begun to fill and
has children stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence

from nt_ray.brokers.base import OrderRejectedError
from nt_ray.brokers.simulated.book import BookedOrder
from nt_ray.strategies import order_step


def check_links(venue: str, batch: Sequence[BookedOrder], working: Mapping[str, BookedOrder]) -> None:
    """Raise `OrderRejectedError` where the orders of a batch are not linked as they may be."""
    earlier: dict[str, BookedOrder] = {}
    for order in batch:
        fault = _fault(order, batch, earlier, working)
        if fault:
            raise OrderRejectedError(f"{venue}: {order.client_order_id}: {fault}")
        earlier[order.client_order_id] = order


def check_replacement(venue: str, old: BookedOrder, new: BookedOrder, working: Mapping[str, BookedOrder]) -> None:
    """Raise `OrderRejectedError` where an order cannot take the place of another."""
    fault = _replacement_fault(old, new, working)
    if fault:
        raise OrderRejectedError(f"{venue}: {new.client_order_id}: {fault}")


def take_place(
    old: BookedOrder, new: BookedOrder, working: Iterable[BookedOrder], ended: int
) -> tuple[BookedOrder, list[BookedOrder]]:
    """Put `new` into the links of `old`; return it, and the orders that this changes, `old` the first of them."""
    over = old._replace(
        replaced_by=new.client_order_id, ended=ended, work=old.work._replace(status=order_step.CANCELED)
    )
    children = [o._replace(parent=new.client_order_id) for o in working if o.parent == old.client_order_id]
    held = old.work.status == order_step.HELD
    work = new.work._replace(status=order_step.HELD if held else order_step.WORKING)
    return new._replace(parent=old.parent, oco_group=old.oco_group, work=work), [over, *children]


def _fault(
    order: BookedOrder,
    batch: Sequence[BookedOrder],
    earlier: Mapping[str, BookedOrder],
    working: Mapping[str, BookedOrder],
) -> str:
    if order.client_order_id in earlier:
        return "the id is given twice. Give each order its own."
    if order.replaces:
        return f"it replaces {order.replaces}. Send it by itself, as a replacement."
    if order.parent:
        parent = earlier.get(order.parent)
        if parent is None or parent.parent:
            return (
                f"its parent {order.parent} is no order sent before it in the same call, or has a parent. "
                "Send parents with their children, each before its own."
            )
    group = order.oco_group
    if group:
        if sum(o.oco_group == group for o in batch) < 2:
            return f"it is alone in the group {group}. Send the orders of a group in one call."
        if any(o.oco_group == group for o in working.values()):
            return f"the group {group} is at work already. Use a new name."
    return ""


def _replacement_fault(old: BookedOrder, new: BookedOrder, working: Mapping[str, BookedOrder]) -> str:
    if old.client_order_id not in working:
        return f"{old.client_order_id} has ended and cannot be replaced. Send a new order."
    if (old.symbol, old.work.side) != (new.symbol, new.work.side):
        return f"{old.client_order_id} is another instrument or side. Cancel it and send a new order."
    if old.notional or new.notional:
        return "orders by notional cannot replace or be replaced. Cancel and send a new order."
    if new.parent not in ("", old.parent) or new.oco_group not in ("", old.oco_group):
        return f"its parent or group is not that of {old.client_order_id}. Leave both out: they are taken over."
    if old.work.filled and any(o.parent == old.client_order_id for o in working.values()):
        return f"{old.client_order_id} has children and has begun to fill. Cancel it, or replace its children."
    if not old.parent:
        return ""
    parent = working.get(old.parent)
    if parent is not None and old.work.filled:
        return f"{old.client_order_id} has begun to fill before its parent is done. Replace it after that."
    left = old.work.lots - old.work.filled - old.work.used
    return (
        "" if new.asked <= left else f"it is larger than the {left} lots left of {old.client_order_id}. Ask for less."
    )
