"""What Alpaca's routes answer, as the OpenAPI document shows it, made by the functions that write answers."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from deployments.gateway.alpaca import answers as a
from deployments.gateway.alpaca import render
from nt_ray.brokers.alpaca.shapes import calendar_day, clock_shape
from nt_ray.market import nyse
from nt_ray.market.bars import Instrument
from nt_ray.trader.history import Execution, Family, OrderRecord, order_id
from nt_ray.trader.live_readings import Activity
from nt_ray.trader.overview import Holding, Overview
from nt_ray.trader.watchlists import Watchlist
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus, OrderType, Side

Responses: TypeAlias = dict[int | str, dict[str, Any]]

_TIME: Final = datetime(2026, 1, 5, 15, tzinfo=UTC)
_SYMBOL: Final = Instrument("AAPL", Decimal("0.01"))
_TEN: Final = Decimal(10)
_PRICE: Final = Decimal("180.5")


def _examples() -> Mapping[str, Responses]:
    request = OrderRequest("mine-1", "AAPL", Side.BUY, _TEN, "api", OrderType.LIMIT, _PRICE)
    sent = Order(request, OrderStatus.ACCEPTED, submitted_at=_TIME)
    order = render.order("paper", Family(OrderRecord(order_id("paper", "mine-1"), sent, _TIME, _TIME), "simple"))
    held = Holding("AAPL", _TEN, _TEN * _PRICE, Decimal("181.25"), Decimal(0))
    cash = Decimal(100_000) - held.cost
    equity = cash + held.value
    overview = Overview(
        name="paper", currency="USD", time=_TIME, began_at=_TIME, cash=cash, equity=equity,
        day_start_equity=Decimal(100_000), reserved=Decimal(0), leverage=Decimal(2),
        buying_power=equity * 2 - held.value, holdings=(held,), halts={}, breaker=(), instruments=(_SYMBOL,),
        shorting=True, fractions=True,
    )  # fmt: skip
    fill = Fill("x-1", "mine-1", "AAPL", Side.BUY, _TEN, _PRICE, Decimal(0), _TIME)
    done = Activity(1, Execution(fill, _TEN, Decimal(0), OrderStatus.FILLED, opens_short=False))
    position, asset = render.position(held, overview), render.asset(_SYMBOL)
    watched = Watchlist("4a3e2f44-6f0c-4b62-8b37-2d6c1f0b6a11", "paper", "Fruit", ("AAPL",), _TIME, _TIME)
    local = _TIME.astimezone(nyse.NEW_YORK)
    clock = clock_shape(
        local, True, nyse.next_open(_TIME).astimezone(nyse.NEW_YORK), nyse.next_close(_TIME).astimezone(nyse.NEW_YORK)
    )
    history = {
        "timestamp": [int(_TIME.timestamp())], "equity": [float(equity)], "profit_loss": [float(equity - 100_000)],
        "profit_loss_pct": [round(float(equity / 100_000 - 1), 8)], "base_value": 100_000.0, "timeframe": "1D",
        "cashflow": {},
    }  # fmt: skip
    return {
        "order": _shown(200, a.OrderAnswer, order),
        "orders": _shown(200, list[a.OrderAnswer], [order]),
        "canceled": _shown(207, list[a.CanceledAnswer | a.KeptAnswer], [{"id": order["id"], "status": 200}]),
        "position": _shown(200, a.PositionAnswer, position),
        "positions": _shown(200, list[a.PositionAnswer], [position]),
        "closed": _shown(207, list[a.ClosedAnswer], [{"symbol": "AAPL", "status": 200, "body": order}]),
        "account": _shown(200, a.AccountAnswer, render.account(overview)),
        "configurations": _shown(200, a.ConfigurationAnswer, render.configuration(overview)),
        "history": _shown(200, a.HistoryAnswer, history),
        "activities": _shown(200, list[a.ActivityAnswer], [render.activity("paper", done)]),
        "asset": _shown(200, a.AssetAnswer, asset),
        "assets": _shown(200, list[a.AssetAnswer], [asset]),
        "watchlist": _shown(200, a.WatchlistAnswer, render.watchlist(watched, [asset])),
        "watchlists": _shown(200, list[a.WatchlistHead], [render.watchlist(watched)]),
        "clock": _shown(200, a.ClockAnswer, clock),
        "calendar": _shown(200, list[a.DayAnswer], [calendar_day(date(2026, 1, 5), "09:30", "16:00")]),
    }


def _shown(status: int, model: Any, example: Any) -> Responses:
    return {
        status: {"description": "The answer", "model": model, "content": {"application/json": {"example": example}}}
    }


EXAMPLES: Final = _examples()
