"""Venues whose answers a test holds back or makes up, and accounts on them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nt_ray.brokers.base import (
    Capabilities,
    ReplaceKind,
    VenueAccount,
    VenueDownError,
    VenueOrder,
    VenueUpdate,
)
from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.standing import FREE, Standing
from nt_ray.storage.journal import Journal
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import Clock, OpenedVenue
from nt_ray.trader.price import Price
from nt_ray.trader.watcher import Pace
from nt_ray.trading.orders import Fill, OrderRequest, OrderStatus, OrderType, TimeInForce

MORNING = datetime(2026, 1, 5, 15, tzinfo=UTC)
KO = Instrument("KO", Decimal("0.01"))
PEP = Instrument("PEP", Decimal("0.01"))
WIDE = RiskLimits()
LIMITS = RiskLimits(max_messages=9_999, max_strategy_messages=9_999)
PATIENCE_S = 20.0


class BookedVenue:
    """A venue that answers from its book, unless it is down."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.book: dict[str, VenueOrder] = {}
        self.requests: dict[str, OrderRequest] = {}
        self.executions: list[Fill] = []
        self.down = False

    def order(self, client_order_id: str) -> VenueOrder | None:
        self.ping()
        return self.book.get(client_order_id)

    def orders(self, client_order_ids: Any, *, urgent: bool = False) -> dict[str, VenueOrder]:
        self.ping()
        return {i: self.book[i] for i in client_order_ids if i in self.book}

    def standing(self, symbols: Any) -> Standing:
        return FREE

    def warnings(self) -> tuple[str, ...]:
        return ()

    def open_orders(self) -> list[VenueOrder]:
        return [order for order in self.book.values() if order.status.is_open]

    def fills(self, since: datetime | None) -> list[Fill]:
        self.ping()
        return [fill for fill in self.executions if since is None or fill.time >= since]

    def account(self) -> VenueAccount | None:
        """It keeps no money."""

    def ping(self) -> None:
        if self.down:
            raise VenueDownError("The venue is down. Wait.")

    def end(self, client_order_id: str, status: OrderStatus) -> None:
        self.book[client_order_id] = replace(self.book[client_order_id], status=status)


class WaitingVenue(BookedVenue):
    """A venue whose answers the test holds back: `hold(id)` stops the submission of an order until `let_go(id)`."""

    name = "waiting"

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.asked: list[str] = []
        self.pushes: list[VenueUpdate] = []
        self.marks: dict[str, Decimal] = {"KO": Decimal(50)}
        self.quoted_at = MORNING
        self._gates: dict[str, threading.Event] = {}
        self._reached: dict[str, threading.Event] = {}

    def hold(self, client_order_id: str) -> None:
        self._gates[client_order_id] = threading.Event()
        self._reached[client_order_id] = threading.Event()

    def wait_until_reached(self, client_order_id: str) -> None:
        assert self._reached[client_order_id].wait(PATIENCE_S)

    def let_go(self, client_order_id: str) -> None:
        self._gates[client_order_id].set()

    def capabilities(self) -> Capabilities:
        return Capabilities(
            frozenset(OrderType), frozenset(TimeInForce), True, True, True, replace=ReplaceKind.NATIVE
        )  # fmt: skip

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        name = request.client_order_id
        self.ping()
        with self.lock:
            self.sent.append(name)
            self.requests[name] = request
            self.book[name] = VenueOrder(name, f"v-{name}", OrderStatus.ACCEPTED, Decimal(0))
        if name in self._gates:
            self._reached[name].set()
            assert self._gates[name].wait(PATIENCE_S)
        return self.book[name]

    def replace_order(self, request: OrderRequest) -> VenueOrder:
        self.end(request.replaces, OrderStatus.REPLACED)
        return self.submit_order(request)

    def submit_linked(self, requests: Any) -> list[VenueOrder]:
        return [self.submit_order(request) for request in requests]

    def cancel_order(self, client_order_id: str) -> VenueOrder:
        self.ping()
        self.end(client_order_id, OrderStatus.CANCELED)
        return self.book[client_order_id]

    def order(self, client_order_id: str) -> VenueOrder | None:
        found = super().order(client_order_id)
        self.asked.append(client_order_id)
        return found

    def updates(self) -> list[VenueUpdate]:
        found, self.pushes = self.pushes, []
        return found

    def positions(self) -> dict[str, Decimal]:
        found = Decimal(0)
        for fill in self.executions:
            found += fill.signed_quantity
        return {"KO": found} if found else {}

    def close(self) -> None:
        self.down = True

    def prices(self) -> dict[str, Price]:
        self.ping()
        return {symbol: Price(mark, self.quoted_at) for symbol, mark in self.marks.items()}

    def execute(self, client_order_id: str, quantity: int, *, push: bool = True, book: bool = True) -> VenueUpdate:
        request = self.requests[client_order_id]
        fill = Fill(
            f"x{client_order_id}-{len(self.executions)}-{quantity}", client_order_id, "KO", request.side,
            Decimal(quantity), Decimal(50), Decimal(0), MORNING,
        )  # fmt: skip
        done = quantity == request.quantity
        self.end(client_order_id, OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED)
        update = VenueUpdate(self.book[client_order_id], fill)
        if book:
            self.executions.append(fill)
        if push:
            self.pushes.append(update)
        return update


class Plan:
    """Opens the account of a test."""

    name = "live"

    def __init__(self, path: Path, venue: WaitingVenue, limits: RiskLimits) -> None:
        self.path, self.venue, self.limits = path, venue, limits
        self.journal: Journal | None = None

    def open(self, clock: Clock) -> OpenedVenue:
        self.journal = open_journal(self.path)
        account = Account("live", self.journal, self.venue, self.limits, [KO], clock, shared=True)
        account.deposit(Decimal(1_000_000))
        return OpenedVenue(account, self.venue, self.venue.prices, lambda: None)


class Times:
    def __init__(self) -> None:
        self.now = MORNING

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def venue() -> WaitingVenue:
    return WaitingVenue()


@pytest.fixture
def times() -> Times:
    return Times()


Open = Callable[..., LiveAccount]


@pytest.fixture
def open_live(tmp_path: Path, venue: WaitingVenue, times: Times) -> Iterator[Open]:
    with ExitStack() as stack:

        def opened_account(*, watch: bool = False, limits: RiskLimits = LIMITS, **pace: float) -> LiveAccount:
            plan = Plan(tmp_path / "journal.sqlite", venue, limits)
            account = LiveAccount(plan, Pace(**pace), times, watch=watch)
            stack.callback(account.close)
            return account

        yield opened_account


class ScriptedVenue(BookedVenue):
    """A venue that does what the test says: submissions raise `before` or `after` they are booked."""

    name = "scripted"

    def __init__(self) -> None:
        super().__init__()
        self.cancels: list[str] = []
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.proves_absence = True
        self.arrives_late = False
        self.cancel_error: Exception | None = None

    def capabilities(self) -> Capabilities:
        kinds, tifs = frozenset(OrderType), frozenset({TimeInForce.DAY})
        return Capabilities(kinds, tifs, True, True, self.proves_absence, arrives_late=self.arrives_late)

    def submit_order(self, request: OrderRequest) -> VenueOrder:
        self.ping()
        self.sent.append(request.client_order_id)
        if self.before:
            raise self.before.pop(0)
        key = request.client_order_id
        self.requests[key] = request
        self.book.setdefault(key, VenueOrder(key, f"v-{key}", OrderStatus.ACCEPTED, Decimal(0)))
        if self.after:
            raise self.after.pop(0)
        return self.book[key]

    def cancel_order(self, client_order_id: str) -> VenueOrder:
        self.cancels.append(client_order_id)
        if self.cancel_error is not None:
            raise self.cancel_error
        self.end(client_order_id, OrderStatus.CANCELED)
        return self.book[client_order_id]

    def positions(self) -> dict[str, Decimal]:
        return {}

    def fill(self, client_order_id: str, quantity: int, price: int = 50, /, **changes: Any) -> None:
        request = self.requests[client_order_id]
        execution = Fill(
            f"x{len(self.executions)}",
            client_order_id,
            request.symbol,
            request.side,
            Decimal(quantity),
            Decimal(price),
            Decimal(1),
            MORNING,
        )
        self.executions.append(replace(execution, **changes))
        if quantity == request.quantity:
            self.end(client_order_id, OrderStatus.FILLED)


class Desk:
    """Opens accounts on one journal and one venue, under a clock the test sets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.venue = ScriptedVenue()
        self.now = MORNING
        self.opened: list[Account] = []

    def open(self, limits: RiskLimits = WIDE, marks: dict[str, Decimal] | None = None) -> Account:
        account = Account("test", open_journal(self.path), self.venue, limits, [KO, PEP], lambda: self.now)
        self.opened.append(account)
        account.deposit(Decimal(100_000))
        if marks is not None:
            account.sync(self.now, marks)
        return account

    def close(self) -> None:
        for account in self.opened:
            account.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "journal.sqlite")
    yield desk
    desk.close()
