"""The rules of the pre-trade gate: small objects, each with one limit, in the order in which they are asked.

A rule looks and answers; it changes nothing. It says None, or a `Denial` with its name, the limit, the value
that broke it and a sentence. Orders that can only reduce a position are not put to
these rules, so that a limit never locks anyone into one.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Protocol

from nt_ray.market.bars import Instrument
from nt_ray.risk.exposure import Exposure, Line
from nt_ray.risk.limits import RiskLimits
from nt_ray.trading.orders import OrderRequest

Content = tuple[str, str, str, Decimal, str, Decimal | None]
"""What makes two orders equal but for their ids."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an order must not be sent."""

    rule: str
    limit: str
    value: str
    reason: str


class AccountView(Protocol):
    """What the gate sees of an account."""

    @property
    def now(self) -> datetime:
        """Time of the check."""
        ...

    @property
    def equity(self) -> Decimal:
        """Equity at the last mark."""
        ...

    @property
    def exposure(self) -> Exposure:
        """Positions, open orders and marks."""
        ...

    @property
    def tripped(self) -> frozenset[str]:
        """Breaker rules that have tripped."""
        ...

    @property
    def halted(self) -> frozenset[str]:
        """Scopes whose kill switch is set."""
        ...

    def knows(self, client_order_id: str) -> bool:
        """Whether an order with this id exists."""
        ...

    def last_sent(self, content: Content) -> datetime | None:
        """When an equal order was last let through."""
        ...


@dataclass(slots=True)
class Question:
    """One order with everything the rules share, worked out once."""

    request: OrderRequest
    view: AccountView
    instrument: Instrument
    line: Line
    mark: Decimal
    notional: Decimal
    buys: Decimal
    """Open quantity to buy with this order included."""
    sells: Decimal
    """Open quantity to sell with this order included."""

    @property
    def worst_notional(self) -> Decimal:
        """Largest position value in the symbol with this order included."""
        return self.line.worst(self.buys, self.sells) * self.mark


def content(request: OrderRequest) -> Content:
    """Content of an order without its id."""
    return (
        request.strategy,
        request.symbol,
        request.side,
        request.quantity,
        request.type,
        request.limit_price,
    )


def denial(rule: str, limit: Decimal, value: Decimal, request: OrderRequest, what: str) -> Denial:
    """Denial of an order whose `what` is above its limit."""
    shown, most = _plain(value), _plain(limit)
    return Denial(rule, most, shown, f"{request.client_order_id}: {what} {shown} is above {most}.")


def _plain(value: Decimal) -> str:
    """Shortest plain text of a number, at most six decimals."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


class Rule(Protocol):
    """One rule of the gate."""

    name: ClassVar[str]

    def check(self, q: Question) -> Denial | None:
        """Answer whether the order breaks the rule."""
        ...


class OrderNotional:
    """The value of one order, at its limit price where that is higher than the mark."""

    name: ClassVar[str] = "order_notional"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_order_notional")

    def check(self, q: Question) -> Denial | None:
        """Compare the order's value."""
        if q.notional <= self._limit:
            return None
        return denial(self.name, self._limit, q.notional, q.request, "the order's value")


class PositionNotional:
    """The worst-case value of the position in one symbol."""

    name: ClassVar[str] = "position_notional"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_position_notional")

    def check(self, q: Question) -> Denial | None:
        """Compare the worst-case position."""
        worst = q.worst_notional
        if worst <= self._limit:
            return None
        return denial(self.name, self._limit, worst, q.request, "the worst-case position")


class Concentration:
    """The share of equity in one symbol."""

    name: ClassVar[str] = "concentration"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_concentration")

    def check(self, q: Question) -> Denial | None:
        """Compare the worst-case position with equity."""
        worst = q.worst_notional
        if worst <= self._limit * q.view.equity:
            return None
        what = "the worst-case position as a share of equity"
        return denial(self.name, self._limit, worst / q.view.equity, q.request, what)


class GrossExposure:
    """The worst-case sum of position sizes."""

    name: ClassVar[str] = "gross_exposure"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_gross_exposure")

    def check(self, q: Question) -> Denial | None:
        """Compare worst-case gross exposure with equity."""
        gross = q.view.exposure.gross - q.line.gross + q.worst_notional
        if gross <= self._limit * q.view.equity:
            return None
        what = "worst-case gross exposure as a share of equity"
        return denial(self.name, self._limit, gross / q.view.equity, q.request, what)


class NetExposure:
    """The worst-case net of long and short."""

    name: ClassVar[str] = "net_exposure"

    def __init__(self, limits: RiskLimits) -> None:
        self._limit = limits.exact("max_net_exposure")

    def check(self, q: Question) -> Denial | None:
        """Compare the worst-case net exposure on the order's side with equity."""
        exposure = q.view.exposure
        if q.request.side.sign > 0:
            net = exposure.longest - q.line.longest + (q.line.position + q.buys) * q.mark
        else:
            net = -(exposure.shortest - q.line.shortest + (q.line.position - q.sells) * q.mark)
        if net <= self._limit * q.view.equity:
            return None
        what = "worst-case net exposure as a share of equity"
        return denial(self.name, self._limit, net / q.view.equity, q.request, what)


class BuyingPower:
    """Equity times leverage, less positions, less what every open order would open by itself.

    Stricter than gross exposure where orders of both sides are open in one symbol: each reserves its own
    money.
    """

    name: ClassVar[str] = "buying_power"

    def __init__(self, limits: RiskLimits) -> None:
        self._leverage = limits.exact("max_gross_exposure")

    def check(self, q: Question) -> Denial | None:
        """Compare what the account would use with what it has."""
        line = q.line
        own = (abs(line.position) + line.opening(q.buys, q.sells)) * q.mark
        used = q.view.exposure.used - line.used + own
        power = self._leverage * q.view.equity
        if used <= power:
            return None
        return denial(self.name, power, used, q.request, "buying power in use")
