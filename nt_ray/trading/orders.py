"""Orders, fills and the states an order can be in, in the field's own words (FIX).

Every number is a `Decimal`. An order is a request plus the fold of its events (`nt_ray.trading.lifecycle`).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias

from nt_ray.errors import BadInputError
from nt_ray.trading.verdict import Verdict

LONGEST_CLIENT_ID: Final = 128
"""What the most generous of the venues takes; each states its own rule (`nt_ray.brokers.base.Capabilities`)."""
CLIENT_ORDER_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:-]{{0,{LONGEST_CLIENT_ID - 1}}}")

_WHOLE = Decimal(100)


class Side(StrEnum):
    """Side of an order."""

    # Members are their texts, and hash as fast: Python's own hash of an Enum is a function in Python.
    __hash__ = str.__hash__

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 buys, -1 sells."""
        return 1 if self is BUY else -1


class OrderType(StrEnum):
    """How an order is priced."""

    __hash__ = str.__hash__

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"

    @property
    def has_limit(self) -> bool:
        """Whether the order never trades at a worse price than its limit."""
        return self is LIMIT or self is _STOP_LIMIT

    @property
    def has_stop(self) -> bool:
        """Whether the order waits for a stop price of its own."""
        return self is _STOP or self is _STOP_LIMIT


class TimeInForce(StrEnum):
    """How long an order works.

    DAY: this session; GTC: until filled or cancelled; GTD: until `expire_at`; IOC: what fills at once; FOK: all at
    once or nothing; OPG: in the opening of a session only; CLS: in its closing only.
    """

    __hash__ = str.__hash__

    DAY = "day"
    GTC = "gtc"
    GTD = "gtd"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"
    CLS = "cls"

    @property
    def is_immediate(self) -> bool:
        """Whether the order never rests."""
        return self is _IOC or self is _FOK


class OrderStatus(StrEnum):
    """State of an order: the fold of its events."""

    __hash__ = str.__hash__

    INITIALIZED = "initialized"
    DENIED = "denied"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"

    @property
    def is_final(self) -> bool:
        """Whether no further event but a late fill can follow."""
        return self in _FINAL

    @property
    def is_open(self) -> bool:
        """Whether the venue may hold the order."""
        return self not in _FINAL and self is not _INITIALIZED


# In Python 3.11 a member by its class costs ten times a global, and the way of an order passes many.
BUY: Final = Side.BUY
SELL: Final = Side.SELL
MARKET: Final = OrderType.MARKET
LIMIT: Final = OrderType.LIMIT
_STOP: Final = OrderType.STOP
_STOP_LIMIT: Final = OrderType.STOP_LIMIT
_TRAILING_STOP: Final = OrderType.TRAILING_STOP
_DAY: Final = TimeInForce.DAY
_GTC: Final = TimeInForce.GTC
_GTD: Final = TimeInForce.GTD
_IOC: Final = TimeInForce.IOC
_FOK: Final = TimeInForce.FOK
_AT_AUCTION: Final = (TimeInForce.OPG, TimeInForce.CLS)
_INITIALIZED: Final = OrderStatus.INITIALIZED
_FINAL: Final = frozenset(
    {
        OrderStatus.DENIED,
        OrderStatus.REJECTED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REPLACED,
    }
)


PositionEffect: TypeAlias = Literal["", "open", "close"]


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a caller asks for. The same `client_order_id` is the same order, however often it is sent.

    client_order_id   unique for ever within the account.
    quantity          units to trade; 0 where `notional` is given.
    strategy          who owns the order; every order has an owner.
    limit_price       of LIMIT and STOP_LIMIT orders.
    stop_price        of STOP and STOP_LIMIT orders.
    trail_amount, trail_percent
                      of TRAILING_STOP orders, one of them: distance from the best price, as a price or in percent.
    expire_at         of GTD orders.
    notional          money to trade instead of a quantity: MARKET DAY orders only.
    post_only         refused rather than filled at once (LIMIT only).
    reduce_only       never opens or turns a position.
    extended_hours    may trade outside the regular session (LIMIT DAY or LIMIT GTC only).
    parent            client id of the order whose fills set this one to work (one triggers the other).
    oco_group         orders of one group cancel each other (one cancels the other).
    replaces          client id of the order in whose place this one comes (FIX OrigClOrdID); its quantity counts what
                      this order itself may trade, apart from what the replaced one has filled.
    position_effect   what the order does to the position (FIX PositionEffect), checked by the gate as the order comes
                      in: `close` never turns it, whatever other orders close of it. Empty: whatever it does.
    """

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    strategy: str
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    expire_at: datetime | None = None
    notional: Decimal | None = None
    post_only: bool = False
    reduce_only: bool = False
    extended_hours: bool = False
    parent: str = ""
    oco_group: str = ""
    replaces: str = ""
    position_effect: PositionEffect = ""

    def __post_init__(self) -> None:
        if not CLIENT_ORDER_ID.fullmatch(self.client_order_id):
            raise BadInputError(
                f"client_order_id {self.client_order_id!r} is not usable. Give 1 to {LONGEST_CLIENT_ID} of "
                "A-Z a-z 0-9 . _ : -"
            )
        fault = _size_fault(self) or _price_fault(self) or _terms_fault(self)
        if fault:
            raise BadInputError(f"{self.client_order_id}: {fault}")

    def __reduce__(self) -> tuple[Any, ...]:
        return from_wire, self.wire()

    def wire(self) -> tuple[Any, ...]:
        """Values as a message carries them, for `from_wire`: texts in the place of numbers and choices."""
        return (
            self.client_order_id,
            self.symbol,
            str(self.side),
            str(self.quantity),
            self.strategy,
            str(self.type),
            _text(self.limit_price),
            str(self.time_in_force),
            _text(self.stop_price),
            _text(self.trail_amount),
            _text(self.trail_percent),
            self.expire_at,
            _text(self.notional),
            self.post_only,
            self.reduce_only,
            self.extended_hours,
            self.parent,
            self.oco_group,
            self.replaces,
            self.position_effect,
        )


def from_wire(*values: Any) -> OrderRequest:
    """Request of the values that `OrderRequest.wire` gives."""
    name, symbol, side, quantity, strategy, kind, limit, tif, *others = values
    stop, amount, percent, expire_at, notional, *terms = others
    return OrderRequest(
        name,
        symbol,
        _SIDES[side],
        Decimal(quantity),
        strategy,
        _TYPES[kind],
        _number(limit),
        _TIMES_IN_FORCE[tif],
        _number(stop),
        _number(amount),
        _number(percent),
        expire_at,
        _number(notional),
        *terms,
    )


_SIDES: Final = {str(side): side for side in Side}
_TYPES: Final = {str(kind): kind for kind in OrderType}
_TIMES_IN_FORCE: Final = {str(tif): tif for tif in TimeInForce}


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _size_fault(request: OrderRequest) -> str:
    """Say what is wrong with quantity or notional; empty where nothing is."""
    quantity, notional = request.quantity, request.notional
    if notional is None:
        if quantity.is_finite() and quantity > 0:
            return ""
        return f"quantity {quantity} must be a positive number."
    if quantity != 0:
        return f"quantity {quantity} and notional {notional} exclude each other. Give quantity 0, or no notional."
    if not (notional.is_finite() and notional > 0):
        return f"notional {notional} must be a positive number."
    if request.type is not MARKET or request.time_in_force is not _DAY:
        return f"a {request.type} {request.time_in_force} order by notional. Use a market day order, or a quantity."
    return ""


def _price_fault(request: OrderRequest) -> str:
    """Say which price is missing, superfluous or not positive."""
    kind = request.type
    prices = (
        ("limit_price", request.limit_price, kind.has_limit),
        ("stop_price", request.stop_price, kind.has_stop),
    )
    for name, price, wanted in prices:
        if wanted != (price is not None):
            needs = "needs a" if wanted else "takes no"
            return f"a {kind} order with {name}={price}. A {kind} order {needs} {name}."
        if price is not None and not (price.is_finite() and price > 0):
            return f"{name} {price} must be positive."
    trails = [t for t in (request.trail_amount, request.trail_percent) if t is not None]
    if len(trails) != (kind is _TRAILING_STOP):
        return (
            f"a {kind} order with trail_amount={request.trail_amount}, trail_percent={request.trail_percent}. "
            "A trailing_stop order needs one of them, any other none."
        )
    if trails and not (trails[0].is_finite() and trails[0] > 0):
        return f"trail {trails[0]} must be positive."
    if request.trail_percent is not None and request.trail_percent >= _WHOLE:
        return f"trail_percent {request.trail_percent} must be below 100."
    return ""


def _terms_fault(request: OrderRequest) -> str:
    """Say which time in force, flag or link does not fit."""
    kind, tif = request.type, request.time_in_force
    if (tif is _GTD) != (request.expire_at is not None):
        return f"a {tif} order with expire_at={request.expire_at}. A gtd order needs expire_at, any other takes none."
    if request.expire_at is not None and request.expire_at.tzinfo is None:
        return f"expire_at {request.expire_at} has no time zone. Give a time in UTC."
    single = tif.is_immediate or tif in _AT_AUCTION
    if single and kind is not MARKET and kind is not LIMIT:
        return f"a {kind} order cannot be {tif}. Use day, gtc or gtd, or a market or limit order."
    if request.post_only and (kind is not LIMIT or single):
        return f"a {kind} {tif} order cannot be post_only. Use a limit order that may rest."
    if request.extended_hours and (kind is not LIMIT or tif not in (_DAY, _GTC)):
        return f"a {kind} {tif} order cannot trade in extended hours. Use a limit day or limit gtc order."
    own = request.client_order_id
    if own in (request.parent, request.replaces):
        return "the order names itself as its parent or as the one it replaces. Name another order."
    if request.position_effect not in ("", "open", "close"):
        return f"position_effect {request.position_effect!r} is none. Give open or close, or leave it out."
    return ""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution at a venue. `execution_id` is the venue's own and is applied once."""

    execution_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal
    time: datetime
    leaves: Decimal | None = None
    """Quantity the venue still works after this execution (FIX LeavesQty), where it says so; 0 ends an order by
    notional."""

    @property
    def signed_quantity(self) -> Decimal:
        """Quantity with the side's sign."""
        return self.quantity * self.side.sign

    @property
    def notional(self) -> Decimal:
        """Price times quantity, unsigned."""
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its events have made it. Transitions are checked in `nt_ray.trading.lifecycle`.

    `rule` names the gate's rule that denied it; `not_sent` says that it was rejected because it certainly
    never reached the venue, so that the same intent may go another way; `verdict` is the venue's own no.
    """

    request: OrderRequest
    status: OrderStatus = OrderStatus.INITIALIZED
    filled_quantity: Decimal = Decimal(0)
    filled_notional: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    venue_order_id: str = ""
    reason: str = ""
    execution_ids: frozenset[str] = frozenset()
    rule: str = ""
    not_sent: bool = False
    submitted_at: datetime | None = None
    """When it was let through to the venue."""
    verdict: Verdict | None = None
    given_up: bool = False
    """Whether it ended because the venue knew nothing of it."""

    @property
    def is_lost(self) -> bool:
        """Whether it ended without the venue's word, as one that never arrived."""
        return self.given_up or self.not_sent

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still fill; 0 for an order by notional, whose quantity only its fills tell."""
        if self.status.is_final or self.request.notional is not None:
            return Decimal(0)
        return self.request.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal | None:
        """Mean fill price, or None before the first fill."""
        return self.filled_notional / self.filled_quantity if self.filled_quantity else None

    def with_(self, **changes: object) -> "Order":
        """Return a copy with these fields changed."""
        values = [*_values(self)]
        for name, value in changes.items():
            values[_PLACES[name]] = value
        return Order(*values)


_PLACES: Final = {name: place for place, name in enumerate(Order.__slots__)}
_values: Final = attrgetter(*_PLACES)
