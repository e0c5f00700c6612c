"""How the simulated exchange reads requests: in whole ticks, lots and rows, or not at all.

It knows the panel's instruments and times, and no other order: whether a client id, a parent or a group is what the
request takes it for is the exchange's to see.
"""

from bisect import bisect_right
from decimal import Decimal
from typing import Final

from nt_ray.brokers.base import OrderRejectedError
from nt_ray.brokers.simulated.book import BookedOrder, Work
from nt_ray.brokers.simulated.matching import MILLION
from nt_ray.market.bars import BarPanel
from nt_ray.strategies import order_step
from nt_ray.trading.orders import OrderRequest, OrderType, TimeInForce
from nt_ray.types import QUANTA_PER_UNIT

MOST: Final = 2**53
"""Lots, ticks and quanta up to here are exact wherever matching computes."""

_TYPES: Final = {
    OrderType.MARKET: order_step.MARKET,
    OrderType.LIMIT: order_step.LIMIT_ORDER,
    OrderType.STOP: order_step.STOP_MARKET,
    OrderType.STOP_LIMIT: order_step.STOP_LIMIT,
    OrderType.TRAILING_STOP: order_step.TRAILING_STOP,
}
_AUCTIONS: Final = {
    (TimeInForce.OPG, OrderType.MARKET): order_step.MARKET_ON_OPEN,
    (TimeInForce.OPG, OrderType.LIMIT): order_step.LIMIT_ON_OPEN,
    (TimeInForce.CLS, OrderType.MARKET): order_step.MARKET_ON_CLOSE,
    (TimeInForce.CLS, OrderType.LIMIT): order_step.LIMIT_ON_CLOSE,
}
_TIMES_IN_FORCE: Final = {
    TimeInForce.DAY: order_step.DAY,
    TimeInForce.GTC: order_step.GTC,
    TimeInForce.GTD: order_step.GTD,
    TimeInForce.IOC: order_step.IOC,
    TimeInForce.FOK: order_step.FOK,
    TimeInForce.OPG: order_step.DAY,
    TimeInForce.CLS: order_step.DAY,
}


class Listing:
    """The instruments of a panel as the venue `name` lists them."""

    def __init__(self, name: str, panel: BarPanel) -> None:
        self._name = name
        self._panel = panel
        self._instruments = {i.symbol: i for i in panel.instruments}

    def read(self, request: OrderRequest, cursor: int) -> BookedOrder:
        """Request after the bar `cursor` as an order of the book; `OrderRejectedError` where it cannot be one."""
        instrument = self._instruments.get(request.symbol)
        if instrument is None:
            known = ", ".join(list(self._instruments)[:8])
            raise self._rejected(request, f"{request.symbol} is not listed. Use one of {known}.")
        if request.extended_hours:
            raise self._rejected(request, "there are no extended hours here. Leave extended_hours out.")
        tick, lot = instrument.price_increment, instrument.quantity_increment
        kind, tif = request.type, request.time_in_force
        flags = order_step.REDUCE_ONLY * request.reduce_only + order_step.POST_ONLY * request.post_only
        trail = self._whole(request.trail_amount, tick, "trail_amount", request)
        if request.trail_percent is not None:
            flags += order_step.TRAIL_PPM
            trail = self._whole(request.trail_percent, Decimal(100) / MILLION, "trail_percent", request)
        work = Work(
            side=request.side.sign,
            lots=self._whole(request.quantity, lot, "quantity", request),
            type=_AUCTIONS.get((tif, kind), _TYPES[kind]),
            limit_ticks=self._whole(request.limit_price, tick, "limit price", request),
            stop_ticks=self._whole(request.stop_price, tick, "stop price", request),
            trail=trail,
            tif=_TIMES_IN_FORCE[tif],
            good_till=self._last_row(request, cursor),
            flags=flags,
            filled=0,
            status=order_step.HELD if request.parent else order_step.WORKING,
            reason=0,
            entry_row=cursor,
            live_row=cursor + 1,
            triggered=0,
            extreme=0,
            rested=0,
            active_row=-1,
            active_price=0,
            looked=-1,
            used=0,
        )
        notional = self._whole(request.notional, Decimal(1) / QUANTA_PER_UNIT, "notional", request)
        links = (request.parent, request.oco_group, request.replaces)
        terms = (*work[:9], notional, *links)
        return BookedOrder(
            0, request.client_order_id, request.symbol, repr((request.symbol, *terms)), work.lots, notional,
            request.parent, request.oco_group, request.replaces, "", 0, work,
        )  # fmt: skip

    def _last_row(self, request: OrderRequest, cursor: int) -> int:
        """Last bar that begins no later than a GTD order ends; 0 for any other."""
        if request.expire_at is None:
            return 0
        row = bisect_right(range(len(self._panel)), request.expire_at, key=self._panel.time) - 1
        if row <= cursor:
            raise self._rejected(request, f"expire_at {request.expire_at} has passed. Give a time to come.")
        return row

    def _whole(self, value: Decimal | None, increment: Decimal, what: str, request: OrderRequest) -> int:
        """Count of increments in a value; 0 where there is none."""
        if value is None:
            return 0
        count = value / increment
        if count > MOST or count != count.to_integral_value():
            raise self._rejected(
                request,
                f"it has {what} {value}; {request.symbol} takes steps of {increment}, at most {MOST} of them. "
                f"Change the {what}.",
            )
        return int(count)

    def _rejected(self, request: OrderRequest, sentence: str) -> OrderRejectedError:
        return OrderRejectedError(f"{self._name}: {request.client_order_id}: {sentence}")
