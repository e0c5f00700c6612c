"""The simulated exchange: a venue that replays a bar panel, behind the interface of every other venue.

It keeps its own durable book, apart from any account's journal, so it is a truly different party: it can hold
an order whose sender has forgotten it. Guarantees: a client order id names one order for ever; each bar is
matched once, however often it is asked for, by the rules of the event simulator; within a bar, orders match in panel
column order; an execution id depends on venue, bar and order alone; orders sent together are entered all or none.
During an outage order entry is closed (`ping` and whatever asks for a change raise `VenueDownError`); matching and
the record of executions go on. It knows no account and keeps no money.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from nt_ray.brokers.base import (
    Capabilities,
    OrderRejectedError,
    ReplaceKind,
    VenueAccount,
    VenueDownError,
    VenueOrder,
    VenueUpdate,
)
from nt_ray.brokers.simulated.book import BookedOrder, Execution, VenueBook, Work
from nt_ray.brokers.simulated.floor import Floor, Traded
from nt_ray.brokers.simulated.linkage import check_links, check_replacement, take_place
from nt_ray.brokers.simulated.listing import Listing
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.brokers.simulated.tape import plain_tape
from nt_ray.errors import BrokerError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.risk.standing import FREE, Standing
from nt_ray.strategies import order_step
from nt_ray.trading.orders import Fill, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from nt_ray.types import MONEY_DECIMALS, IntArray

CAPABILITIES: Final = Capabilities(
    order_types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    short_selling=True,
    fractional=True,
    lookup_proves_absence=True,
    notional=True,
    post_only=True,
    reduce_only=True,
    linked=True,
    replace=ReplaceKind.NATIVE,
    cancels_all=True,
)


_NONE: Final = Decimal(0)
# In Python 3.11 a member by its class costs ten times a global.
_ACCEPTED: Final = OrderStatus.ACCEPTED
_PARTIALLY_FILLED: Final = OrderStatus.PARTIALLY_FILLED


class SimulatedExchange:
    """One venue over one panel, with its book at `path`; `sessions` numbers each bar's, None: each bar is one."""

    def __init__(self, name: str, panel: BarPanel, costs: Costs, path: Path, sessions: IntArray | None = None) -> None:
        self._name = name
        self._panel = panel
        self._columns = {instrument.symbol: i for i, instrument in enumerate(panel.instruments)}
        self._floor = Floor(plain_tape(panel, costs, sessions), self._columns)
        self._listing = Listing(name, panel)
        self._book = VenueBook(path, name, panel.instruments)
        self._working = {o.client_order_id: o for o in self._book.open_orders()}
        self._lots = np.zeros(len(panel.instruments), dtype=np.int64)
        for symbol, lots in self._book.positions().items():
            self._lots[self._columns[symbol]] = lots
        self._told = self._book.news

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
        known = self._add(request)
        if known is None:
            known, order = self._read(request)
            if known is None:
                check_links(self._name, [order], self._working)
                (known,) = self._enter([order])
        return self._answer(known)

    def submit_linked(self, requests: Sequence[OrderRequest]) -> list[VenueOrder]:
        """Enter orders that name each other as parent or are of one group; all are entered, or none."""
        self.ping()
        pairs = [self._read(request) for request in requests]
        fresh = [order for known, order in pairs if known is None]
        if len(fresh) < len(pairs):
            found = [known for known, _ in pairs if known is not None]
            if fresh:
                raise OrderRejectedError(
                    f"{self._name}: {found[0].client_order_id} is an order already, {fresh[0].client_order_id} is "
                    "none. Send all of them under new ids."
                )
            return [self._answer(order) for order in found]
        check_links(self._name, fresh, self._working)
        return [self._answer(order) for order in self._enter(fresh)]

    def replace_order(self, request: OrderRequest) -> VenueOrder:
        """Enter an order in the place of an open one, which ends; it takes over its links, not its priority."""
        self.ping()
        known, order = self._read(request)
        if known is None:
            old = self._find(request.replaces)
            check_replacement(self._name, old, order, self._working)
            order, changed = take_place(old, order, self._working.values(), self._book.news + 1)
            (known,) = self._enter([order], changed)
        return self._answer(known)

    def cancel_order(self, client_order_id: str) -> VenueOrder:
        """Cancel what is left of an order; one that no longer works is given as it stands."""
        self.ping()
        order = self._find(client_order_id)
        if client_order_id in self._working:
            orders = list(self._working.values())
            works = self._floor.cancel(orders, orders.index(order), self._lots)
            changed = self._changes(orders, works, self._book.news)
            self._book.settle(self._book.cursor, changed, [])
            _replace(self._working, changed)
            order = next(o for o in changed if o.client_order_id == client_order_id)
        return self._answer(order)

    def cancel_all(self) -> None:
        """Cancel every order that works."""
        for client_order_id in list(self._working):
            # One that another took along is not there any more.
            if client_order_id in self._working:
                self.cancel_order(client_order_id)

    def order(self, client_order_id: str) -> VenueOrder | None:
        """Look an order up; None proves that it never arrived."""
        order = self._known(client_order_id)
        return None if order is None else self._answer(order)

    def orders(self, client_order_ids: Sequence[str], *, urgent: bool = False) -> dict[str, VenueOrder]:
        """Look several orders up; those that never arrived are left out."""
        return {i: self._answer(order) for i in client_order_ids if (order := self._known(i)) is not None}

    def open_orders(self) -> list[VenueOrder]:
        """All open orders, in order of entry."""
        return [self._answer(order) for order in self._working.values()]

    def fills(self, since: datetime | None) -> list[Fill]:
        """Executions at or after a time, oldest first; all of them where None."""
        row = 0 if since is None else bisect_left(range(len(self._panel)), since, key=self._panel.time)
        return [self._fill(execution) for execution in self._book.executions_from(row)]

    def updates(self) -> list[VenueUpdate]:
        """Executions and endings since the last call, or since the venue was opened, in the order of their coming."""
        executions, ended = self._book.executions(self._told), self._book.endings(self._told)
        news: list[tuple[int, VenueUpdate]] = [(o.ended, VenueUpdate(self._answer(o))) for o in ended]
        for execution in executions:
            order = self._find(execution.client_order_id)
            news.append((execution.number, VenueUpdate(self._answer(order), self._fill(execution))))
        self._told = self._book.news
        return [update for _, update in sorted(news, key=lambda pair: pair[0])]

    def positions(self) -> dict[str, Decimal]:
        """Signed position by symbol, without flat ones."""
        held = zip(self._panel.instruments, self._lots.tolist(), strict=True)
        return {instrument.symbol: instrument.quantity(lots) for instrument, lots in held if lots}

    def account(self) -> VenueAccount | None:
        """None: the venue keeps no money."""
        return None

    def standing(self, symbols: Sequence[str]) -> Standing:
        """Everything may be traded."""
        return FREE

    def warnings(self) -> tuple[str, ...]:
        """None."""
        return ()

    def advance(self, row: int) -> None:
        """Match open orders on every bar up to `row`; bars that were matched already change nothing."""
        if row >= len(self._panel):
            raise BrokerError(
                f"{self._name}: row {row} lies past the last, {len(self._panel) - 1}. Stay within the panel."
            )
        if row <= self._book.cursor:
            return
        working, lots, news = dict(self._working), self._lots, self._book.news
        changed: dict[str, BookedOrder] = {}
        executions: list[Execution] = []
        for at in range(self._book.cursor + 1, row + 1):
            if not working:
                break
            orders = list(working.values())
            works, traded, lots = self._floor.match(at, orders, lots)
            executions += self._executions(at, orders, works, traded, news)
            after = self._changes(orders, works, news + len(traded))
            news += len(traded) + sum(order.ended > 0 for order in after)
            for order in after:
                changed[order.client_order_id] = order
            _replace(working, after)
        self._book.settle(row, list(changed.values()), executions)
        self._working, self._lots = working, lots

    def close(self) -> None:
        """Close the book's file."""
        self._book.close()

    def _add(self, request: OrderRequest) -> BookedOrder | None:
        """Enter an order that can be read by itself, in one statement; None where others have to be looked at."""
        name = request.client_order_id
        if name in self._working or request.expire_at or request.parent or request.oco_group or request.replaces:
            return None
        added = self._book.add(self._listing.read(request, self._book.cursor))
        if added is not None:
            self._working[name] = added
        return added

    def _read(self, request: OrderRequest) -> tuple[BookedOrder | None, BookedOrder]:
        """Order that the client id names already, if any, and the request as an order of the book."""
        known = self._known(request.client_order_id)
        order = self._listing.read(request, self._book.cursor if known is None else known.work.entry_row)
        if known is not None and known.terms != order.terms:
            raise OrderRejectedError(
                f"{self._name}: {order.client_order_id} is a different order already. Use a new id."
            )
        return known, order

    def _known(self, client_order_id: str) -> BookedOrder | None:
        return self._working.get(client_order_id) or self._book.order(client_order_id)

    def _find(self, client_order_id: str) -> BookedOrder:
        order = self._known(client_order_id)
        if order is None:
            raise OrderRejectedError(f"{self._name}: no order {client_order_id}. Check the client id.")
        return order

    def _enter(self, orders: Sequence[BookedOrder], changed: Sequence[BookedOrder] = ()) -> list[BookedOrder]:
        entered = self._book.enter(orders, changed)
        _replace(self._working, [*changed, *entered])
        return entered

    def _executions(
        self, row: int, orders: Sequence[BookedOrder], works: Sequence[Work], traded: Sequence[Traded], news: int
    ) -> list[Execution]:
        executions = []
        for number, (place, lots, ticks, fee) in enumerate(traded, news + 1):
            order, work = orders[place], works[place]
            name = order.client_order_id
            leaves = work.lots - work.filled if order.notional else -1
            executed = (f"{self._name}-{row}-{name}", name, order.symbol, work.side, lots, ticks, fee, row, leaves)
            executions.append(Execution(number, *executed))
        return executions

    def _changes(self, orders: Sequence[BookedOrder], works: Sequence[Work], news: int) -> list[BookedOrder]:
        """Orders whose work has changed; those that have ended are numbered after `news`."""
        changed = []
        for order, work in zip(orders, works, strict=True):
            if work != order.work:
                over = work.status > order_step.WORKING
                news += over
                changed.append(order._replace(work=work, ended=news if over else 0))
        return changed

    def _answer(self, order: BookedOrder) -> VenueOrder:
        filled = order.work.filled
        quantity = self._instrument(order.symbol).quantity(filled) if filled else _NONE
        return VenueOrder(
            order.client_order_id, f"{self._name}-{order.entry}", _status(order), quantity, order.replaced_by
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
            None if execution.leaves < 0 else instrument.quantity(execution.leaves),
        )

    def _instrument(self, symbol: str) -> Instrument:
        return self._panel.instruments[self._columns[symbol]]


def _replace(working: dict[str, BookedOrder], changed: Sequence[BookedOrder]) -> None:
    """Put changed orders in their places among the working ones, and take out those that have ended."""
    for order in changed:
        working[order.client_order_id] = order
        if order.ended:
            del working[order.client_order_id]


def _status(order: BookedOrder) -> OrderStatus:
    """State of an order; one that its links have made smaller is cancelled where it was to trade more."""
    work = order.work
    if not order.ended:
        return _PARTIALLY_FILLED if work.filled else _ACCEPTED
    if order.replaced_by:
        return OrderStatus.REPLACED
    if work.status == order_step.FILLED_WHOLLY and work.filled == (order.asked or work.lots):
        return OrderStatus.FILLED
    return _ENDINGS.get(work.status, OrderStatus.CANCELED)


_ENDINGS: Final = {order_step.EXPIRED: OrderStatus.EXPIRED, order_step.REJECTED: OrderStatus.REJECTED}
