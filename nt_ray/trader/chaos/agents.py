"""Agents of a drill: they submit, replace, cancel and repeat themselves at random, from a seed.

Their client order ids name the life they live, so an agent that comes back asks for new orders; what was open before
goes on. They mean no profit; they mean to reach every corner of an order's life, and a witness notes what they ask and
are told. What an account refuses comes back as a report: an error that it raises ends the life and is a fault.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

from nt_ray.trader.chaos.witness import Witness
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import Order, OrderRequest, OrderStatus, OrderType, Side, TimeInForce

AGENTS: Final = ("adam", "beth", "carl", "dora")
CENT: Final = Decimal("0.01")


MOST_OPEN: Final = 6
"""Open orders from which on agents rather cancel than submit."""

_LEANINGS: Final = {
    "submit_linked": "bracket",
    "replace_order": "replace",
    "PendingReplace": "replace",
    "OrderReplaced": "replace",
    "cancel_order": "cancel",
    "PendingCancel": "cancel",
    "OrderCanceled": "cancel",
    "submit_order": "submit",
    "OrderFilled": "buy",
}
"""What leads to which step."""


class Trades(Protocol):
    """What agents need of an account."""

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue."""
        ...

    def replace(self, request: OrderRequest) -> OrderReport:
        """Put an order in the place of another."""
        ...

    def cancel(self, client_order_id: str) -> OrderReport:
        """Cancel an order."""
        ...

    def orders(self) -> list[Order]:
        """All orders."""
        ...


class Agents:
    """Four agents on one account. `step` is what they shall come to, where they can help it; empty for none."""

    def __init__(
        self, account: Trades, prices: Mapping[str, Decimal], seed: str, witness: Witness, step: str = ""
    ) -> None:
        self._account = account
        self._prices = prices
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311  a drill must be repeatable
        self._witness = witness
        self._count = 0
        self._actions: dict[str, Callable[[], None]] = {
            "submit": lambda: self._submit([self._request()]),
            "batch": lambda: self._submit([self._request() for _ in range(self._random.randint(2, 4))]),
            "buy": lambda: self._submit([self._request(Side.BUY, OrderType.MARKET)]),
            "bracket": self._bracket,
            "cancel": self._cancel,
            "replace": self._replace,
            "repeat": self._repeat,
        }
        self._leaning = next((action for part, action in _LEANINGS.items() if step.endswith(part)), "")

    def act(self) -> None:
        """Do one thing."""
        draw = self._random
        wanted = self._leaning if draw.random() < 0.8 else ""
        is_full = sum(order.status.is_open for order in self._account.orders()) > MOST_OPEN
        if not wanted and is_full and draw.random() < 0.8:
            wanted = "cancel"
        self._actions[wanted or draw.choice(sorted(self._actions))]()

    def _submit(self, requests: Sequence[OrderRequest]) -> None:
        self._witness.asks(requests)
        self._witness.hears(self._account.submit(requests))

    def _repeat(self) -> None:
        orders = self._account.orders()
        if orders:
            self._submit([self._random.choice(orders).request])

    def _cancel(self) -> None:
        order = self._open(lambda o: o.status is not OrderStatus.PENDING_CANCEL)
        if order is None:
            self._submit([self._resting()])
        else:
            self._witness.hears([self._account.cancel(order.request.client_order_id)])

    def _replace(self) -> None:
        order = self._open(_is_replaceable)
        if order is None:
            self._submit([self._resting()])
            return
        request = order.request
        new = OrderRequest(
            self._next_id(request.strategy),
            request.symbol,
            request.side,
            order.remaining + self._random.randint(0, 2),
            request.strategy,
            OrderType.LIMIT,
            self._near(request.symbol, request.side),
            request.time_in_force,
            replaces=request.client_order_id,
        )
        self._witness.asks([new])
        self._witness.hears([self._account.replace(new)])

    def _resting(self) -> OrderRequest:
        """An order far from the market."""
        symbol = self._random.choice(sorted(self._prices))
        price = _cents(self._prices[symbol] * Decimal("0.8"))
        name = self._next_id(AGENTS[0])
        return OrderRequest(
            name, symbol, Side.BUY, Decimal(1), AGENTS[0], OrderType.LIMIT, price, time_in_force=TimeInForce.GTC
        )

    def _bracket(self) -> None:
        entry = self._request(Side.BUY)
        name, price = entry.client_order_id, self._prices[entry.symbol]
        exits: dict[str, Any] = {"parent": name, "oco_group": f"{name}.exits", "time_in_force": TimeInForce.GTC}
        sell = (entry.symbol, Side.SELL, entry.quantity, entry.strategy)
        profit, loss = _cents(price * Decimal("1.02")), _cents(price * Decimal("0.98"))
        self._submit(
            [
                OrderRequest(name, entry.symbol, Side.BUY, *sell[2:], time_in_force=TimeInForce.GTC),
                OrderRequest(f"{name}.tp", *sell, OrderType.LIMIT, profit, **exits),
                OrderRequest(f"{name}.sl", *sell, OrderType.STOP, stop_price=loss, **exits),
            ]
        )

    def _request(self, side: Side | None = None, kind: OrderType | None = None) -> OrderRequest:
        draw = self._random
        agent, symbol = draw.choice(AGENTS), draw.choice(sorted(self._prices))
        side = side or draw.choice((Side.BUY, Side.BUY, Side.SELL))
        kind = kind or draw.choice(
            (OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT, OrderType.STOP, OrderType.TRAILING_STOP)
        )
        terms: dict[str, Any] = {"time_in_force": draw.choice((TimeInForce.DAY, TimeInForce.GTC))}
        if kind is OrderType.LIMIT:
            terms["limit_price"] = self._near(symbol, side)
        elif kind is OrderType.STOP:
            terms["stop_price"] = _cents(self._prices[symbol] + draw.randint(1, 20) * CENT * side.sign)
        elif kind is OrderType.TRAILING_STOP:
            terms["trail_percent"] = Decimal(draw.randint(1, 5))
        return OrderRequest(self._next_id(agent), symbol, side, Decimal(draw.randint(1, 9)), agent, kind, **terms)

    def _near(self, symbol: str, side: Side) -> Decimal:
        """Limit price that trades soon, late or never."""
        return _cents(self._prices[symbol] - self._random.randint(-5, 30) * CENT * side.sign)

    def _open(self, wanted: Callable[[Order], bool]) -> Order | None:
        orders = [o for o in self._account.orders() if o.status.is_open and wanted(o)]
        return self._random.choice(orders) if orders else None

    def _next_id(self, agent: str) -> str:
        self._count += 1
        return f"{agent}-{self._seed}-{self._count}"


def _is_replaceable(order: Order) -> bool:
    works = order.status in (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)
    return works and order.request.type is OrderType.LIMIT and not order.request.parent


def _cents(price: Decimal) -> Decimal:
    return max(price.quantize(CENT), CENT)
