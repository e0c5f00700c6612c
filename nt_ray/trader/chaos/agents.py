"""Agents of a drill: they submit, replace, cancel and repeat themselves at random, from a seed.

Their client order ids count what the journal already holds, so an agent that comes back goes on where its journal
ends. They mean no profit; they mean to reach every corner of an order's life.
"""

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from nt_ray.errors import BadInputError, BrokerError, TradingError
from nt_ray.trader.account import Account
from nt_ray.trading.orders import Order, OrderRequest, OrderType, Side, TimeInForce

AGENTS: Final = ("adam", "beth", "carl", "dora")
CENT: Final = Decimal("0.01")


class Agents:
    """Four agents on one account."""

    def __init__(self, account: Account, prices: Mapping[str, Decimal], seed: str) -> None:
        self._account = account
        self._prices = prices
        self._random = random.Random(seed)  # noqa: S311  a drill must be repeatable
        self._counts = dict.fromkeys(AGENTS, 0)
        for order in account.orders():
            self._counts[order.request.strategy] += 1

    def act(self) -> None:
        """Do one thing; what the account refuses is a part of the drill."""
        actions = (self._submit, self._batch, self._bracket, self._cancel, self._replace, self._repeat)
        with suppress(BadInputError, TradingError, BrokerError):
            self._random.choice(actions)()

    def _submit(self) -> None:
        self._account.submit([self._request()])

    def _batch(self) -> None:
        self._account.submit([self._request() for _ in range(self._random.randint(2, 4))])

    def _repeat(self) -> None:
        orders = self._account.orders()
        if orders:
            self._account.submit([self._random.choice(orders).request])

    def _cancel(self) -> None:
        order = self._open(lambda _: True)
        if order is not None:
            self._account.cancel(order.request.client_order_id)

    def _replace(self) -> None:
        order = self._open(lambda o: o.request.type is OrderType.LIMIT and not o.request.parent)
        if order is not None:
            request = order.request
            self._account.replace(
                OrderRequest(
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
            )

    def _bracket(self) -> None:
        entry = self._request(Side.BUY)
        name, price = entry.client_order_id, self._prices[entry.symbol]
        exits: dict[str, Any] = {"parent": name, "oco_group": f"{name}.exits", "time_in_force": TimeInForce.GTC}
        sell = (entry.symbol, Side.SELL, entry.quantity, entry.strategy)
        profit, loss = _cents(price * Decimal("1.02")), _cents(price * Decimal("0.98"))
        self._account.submit(
            [
                OrderRequest(name, entry.symbol, Side.BUY, *sell[2:], time_in_force=TimeInForce.GTC),
                OrderRequest(f"{name}.tp", *sell, OrderType.LIMIT, profit, **exits),
                OrderRequest(f"{name}.sl", *sell, OrderType.STOP, stop_price=loss, **exits),
            ]
        )

    def _request(self, side: Side | None = None) -> OrderRequest:
        draw = self._random
        agent, symbol = draw.choice(AGENTS), draw.choice(sorted(self._prices))
        side = side or draw.choice((Side.BUY, Side.BUY, Side.SELL))
        kind = draw.choice(
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
        self._counts[agent] += 1
        return f"{agent}-{self._counts[agent]}"


def _cents(price: Decimal) -> Decimal:
    return max(price.quantize(CENT), CENT)
