"""The simulated exchange: a venue that replays a bar panel, behind the interface of every other venue.

It keeps its own durable book, apart from any account's journal, so it is a truly different party: it can hold
an order whose sender has forgotten it. Guarantees: a client order id names one order for ever; each bar is
matched once, however often it is asked for; within a bar, orders match in panel column order, then in order
of entry; an execution id depends on venue, bar and order alone. During an outage order entry is closed
(`ping`, `submit_order` and `cancel_order` raise `VenueDownError`); matching and the record of executions go
on. It knows no account.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from nt_ray.brokers.base import Capabilities, OrderRejectedError, VenueDownError, VenueOrder
from nt_ray.brokers.simulated.book import BookedOrder, Execution, VenueBook
from nt_ray.brokers.simulated.matching import (
    NO_LIMIT,
    UNKNOWN_PRICE,
    Costs,
    commission,
    fill_lots,
    fill_price,
)
from nt_ray.errors import BrokerError
from nt_ray.market.bars import VOLUME, BarPanel, Instrument
from nt_ray.trading.orders import Fill, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from nt_ray.types import MONEY_DECIMALS, IntArray

_WORKING: Final = (OrderStatus.ACCEPTED.value, OrderStatus.PARTIALLY_FILLED.value)
_MOST_LOTS: Final = 2**53
"""Lots up to here are exact in the matching kernel."""

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    short_selling=True,
    fractional=True,
    lookup_proves_absence=True,
)


class SimulatedExchange:
    """One venue over one panel, with its book at `path`."""

    def __init__(self, name: str, panel: BarPanel, costs: Costs, path: Path) -> None:
        self._name = name
        self._panel = panel
        self._ticks = panel.ticks()
        self._columns = {instrument.symbol: i for i, instrument in enumerate(panel.instruments)}
        self._costs = [costs.vector(i.quantity_increment) for i in panel.instruments]
        self._lot_sizes = [float(i.quantity_increment) for i in panel.instruments]
        self._units = [i.notional_unit for i in panel.instruments]
        self._book = VenueBook(path, name, panel.instruments)
        self._working = {o.client_order_id: o for o in self._book.orders(_WORKING)}
        self._lots: dict[str, int] = {}
        self._count(self._book.executions(0))

    @property
    def name(self) -> str:
        """Name of the venue in configuration."""
        return self._name

    @property
    def cursor(self) -> int:
        """Last bar that was matched; -1 before the first."""
        return self._book.cursor

    def capabilities(self) -> Capabilities:
        """Declare what the venue can do."""
        return CAPABILITIES

    def fail(self, down: bool) -> None:
        """Begin or end an outage; the state is kept."""
        if down != self._book.down:
            self._book.switch(down)

    def ping(self) -> None:
        """Raise `VenueDownError` during an outage."""
        if self._book.down:
            raise VenueDownError(f"{self._name} cannot be reached. Route to another venue or wait.")

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        """Enter an order; a client id that is known gives the order as it stands."""
        self.ping()
        order = self._read(request)
        known = self._working.get(order.client_order_id) or self._book.order(order.client_order_id)
        if known is not None:
            if _body(known) != _body(order):
                raise OrderRejectedError(
                    f"{self._name}: {order.client_order_id} is a different order already. Use a new id."
                )
            return self._answer(known)
        order = self._book.enter(order)
        self._working[order.client_order_id] = order
        return self._answer(order)

    def cancel_order(self, client_order_id: str) -> VenueOrder:
        """Cancel what is left of an order; one that no longer works is given as it stands."""
        self.ping()
        order = self._working.get(client_order_id) or self._book.order(client_order_id)
        if order is None:
            raise OrderRejectedError(f"{self._name}: no order {client_order_id}. Check the client id.")
        if order.status in _WORKING:
            order = order._replace(status=OrderStatus.CANCELED.value)
            self._book.change(order)
            del self._working[client_order_id]
        return self._answer(order)

    def order(self, client_order_id: str) -> VenueOrder | None:
        """Look an order up; None proves that it never arrived."""
        order = self._working.get(client_order_id) or self._book.order(client_order_id)
        return None if order is None else self._answer(order)

    def open_orders(self) -> list[VenueOrder]:
        """All working orders, in order of entry."""
        return [self._answer(order) for order in self._working.values()]

    def fills(self, after: int) -> list[Fill]:
        """Executions after the first `after`, oldest first."""
        return [self._fill(execution) for execution in self._book.executions(after)]

    def positions(self) -> dict[str, Decimal]:
        """Signed position by symbol, without flat ones."""
        return {symbol: self._instrument(symbol).quantity(lots) for symbol, lots in self._lots.items() if lots}

    def advance(self, row: int) -> None:
        """Match working orders on every bar up to `row`; bars that were matched already change nothing."""
        if row >= len(self._panel):
            raise BrokerError(
                f"{self._name}: row {row} lies past the last, {len(self._panel) - 1}. Stay within the panel."
            )
        if row <= self._book.cursor:
            return
        working = dict(self._working)
        changed: dict[str, BookedOrder] = {}
        executions: list[Execution] = []
        for at in range(self._book.cursor + 1, row + 1):
            if not working:
                break
            for order in sorted(working.values(), key=lambda o: (self._columns[o.symbol], o.entry)):
                after, execution = self._match(order, at)
                if execution is not None:
                    executions.append(execution)
                if after is not order:
                    changed[after.client_order_id] = after
                if after.status in _WORKING:
                    working[after.client_order_id] = after
                else:
                    del working[after.client_order_id]
        self._book.settle(row, list(changed.values()), executions)
        self._working = working
        self._count(executions)

    def close(self) -> None:
        """Close the book's file."""
        self._book.close()

    def _match(self, order: BookedOrder, row: int) -> tuple[BookedOrder, Execution | None]:
        """Order after one bar, and its execution on it."""
        column = self._columns[order.symbol]
        execution = self._execute(order, row, column)
        filled = order.filled + (execution.lots if execution is not None else 0)
        if filled == order.lots:
            status = OrderStatus.FILLED
        elif order.time_in_force == TimeInForce.DAY:
            status = OrderStatus.EXPIRED
        else:
            status = OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.ACCEPTED
        if filled == order.filled and status == order.status:
            return order, None
        return order._replace(filled=filled, status=status.value), execution

    def _execute(self, order: BookedOrder, row: int, column: int) -> Execution | None:
        costs: IntArray = self._costs[column]
        close_only = self._panel.instruments[column].close_only
        ticks: int = fill_price(self._ticks[row, column], close_only, order.side, order.limit_ticks, costs)
        if ticks == UNKNOWN_PRICE:
            return None
        volume = float(self._panel.values[row, column, VOLUME])
        left = order.lots - order.filled
        lots = int(fill_lots(left, volume, self._lot_sizes[column], int(costs[4])))
        if lots == 0:
            return None
        fee = int(commission(ticks * lots * self._units[column], lots, costs))
        return Execution(
            f"{self._name}-{row}-{order.client_order_id}",
            order.client_order_id,
            order.symbol,
            order.side,
            lots,
            ticks,
            fee,
            row,
        )

    def _read(self, request: OrderRequest) -> BookedOrder:
        """Request in ticks and lots; `OrderRejectedError` where the venue cannot take it."""
        column = self._columns.get(request.symbol)
        if column is None:
            raise OrderRejectedError(
                f"{self._name}: {request.symbol} is not listed. Use one of {', '.join(list(self._columns)[:8])}."
            )
        instrument = self._panel.instruments[column]
        lots = self._whole(request.quantity, instrument.quantity_increment, "quantity", request)
        limit = NO_LIMIT
        if request.limit_price is not None:
            limit = self._whole(request.limit_price, instrument.price_increment, "limit price", request)
        return BookedOrder(
            0,
            request.client_order_id,
            request.symbol,
            request.side.sign,
            lots,
            limit,
            request.time_in_force.value,
            self._book.cursor,
            0,
            OrderStatus.ACCEPTED.value,
        )

    def _whole(self, value: Decimal, increment: Decimal, what: str, request: OrderRequest) -> int:
        count = value / increment
        if count > _MOST_LOTS or count != count.to_integral_value():
            raise OrderRejectedError(
                f"{self._name}: {request.client_order_id} has {what} {value}; {request.symbol} trades in "
                f"steps of {increment}, at most {_MOST_LOTS} of them. Change the {what}."
            )
        return int(count)

    def _answer(self, order: BookedOrder) -> VenueOrder:
        return VenueOrder(
            order.client_order_id,
            f"{self._name}-{order.entry}",
            OrderStatus(order.status),
            self._instrument(order.symbol).quantity(order.filled),
        )

    def _fill(self, execution: Execution) -> Fill:
        instrument = self._instrument(execution.symbol)
        return Fill(
            execution.execution_id,
            execution.client_order_id,
            execution.symbol,
            Side.BUY if execution.side > 0 else Side.SELL,
            instrument.quantity(execution.lots),
            instrument.price(execution.ticks),
            Decimal(execution.commission).scaleb(-MONEY_DECIMALS),
            self._panel.time(execution.row),
        )

    def _instrument(self, symbol: str) -> Instrument:
        return self._panel.instruments[self._columns[symbol]]

    def _count(self, executions: Iterable[Execution]) -> None:
        for execution in executions:
            signed = execution.side * execution.lots
            self._lots[execution.symbol] = self._lots.get(execution.symbol, 0) + signed


def _body(order: BookedOrder) -> Sequence[object]:
    """What must be equal for two orders under one client id to be the same."""
    return (order.symbol, order.side, order.lots, order.limit_ticks, order.time_in_force)
