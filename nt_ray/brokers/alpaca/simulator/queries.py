"""What can be asked of the simulated venue, and how its lists are filtered, sorted and cut into pages."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from nt_ray.brokers.alpaca.shapes import NOT_FOUND
from nt_ray.brokers.alpaca.simulator import render
from nt_ray.brokers.alpaca.simulator.intake import Refusal, invalid
from nt_ray.brokers.alpaca.simulator.model import Order, Quote, Session, State
from nt_ray.brokers.alpaca.wire import Json, stamp

_OPEN: Final = ("accepted", "pending_new", "new", "partially_filled", "pending_cancel", "pending_replace")
"""What counts as open in a list; held legs show up under their order alone."""

_Query = Mapping[str, str]
_MOST_ORDERS: Final = 500
_USUAL_ORDERS: Final = 50
_MOST_ACTIVITIES: Final = 100
_SPANS: Final = {
    "1Min": {"second": 0, "microsecond": 0},
    "1Day": {"hour": 0, "minute": 0, "second": 0, "microsecond": 0},
}
"""By time frame, what of a time its bar begins with."""
_BY_CLIENT_ID: Final = "/v2/orders:by_client_order_id"


def answer(state: State, path: str, query: _Query) -> Any:
    """Answer a GET; raise `Refusal` where there is no such thing."""
    if path in _LISTS:
        return _LISTS[path](state, query)
    if path == _BY_CLIENT_ID or path.startswith("/v2/orders/"):
        order = asked_order(state, path, query)
        if order is None:
            raise Refusal(
                404, NOT_FOUND, f"order not found for {query.get('client_order_id') or path.rsplit('/', 1)[1]}"
            )
        return render.order_json(state, order, nested=_is_nested(query))
    if path.startswith("/v2/account/activities/"):
        return _activities(state, {**query, "activity_types": path.rsplit("/", 1)[1]})
    symbol = path.rsplit("/", 1)[1]
    if path == f"/v2/assets/{symbol}":
        if symbol not in state.listings:
            raise Refusal(404, NOT_FOUND, f"asset not found for {symbol}")
        return render.asset_json(state.listings[symbol])
    if path == f"/v2/positions/{symbol}":
        if symbol not in state.positions:
            raise Refusal(404, NOT_FOUND, "position does not exist")
        return render.position_json(state, symbol)
    if path.startswith("/v2/stocks/"):
        return _market_data(state, path, query)
    raise Refusal(404, NOT_FOUND, "endpoint not found")


def asked_order(state: State, path: str, query: _Query) -> Order | None:
    """The order that a path or a query names; None where there is none."""
    if path == _BY_CLIENT_ID:
        return state.orders.get(state.by_client_id.get(query.get("client_order_id", ""), ""))
    return state.orders.get(path.removeprefix("/v2/orders/"))


def _orders(state: State, query: _Query) -> list[Json]:
    status = query.get("status", "open")
    nested = _is_nested(query)
    symbols = query.get("symbols", "").split(",") if query.get("symbols") else None
    after, until = given_time(query, "after"), given_time(query, "until")
    found = [
        order
        for order in state.orders.values()
        if (status == "all" or (order.status in _OPEN) is (status == "open"))
        and (symbols is None or order.symbol in symbols)
        and (query.get("side") in (None, order.side))
        and (after is None or order.created_at > after)
        and (until is None or order.created_at < until)
    ]
    if nested:
        # A leg is rolled up under its order where that one is listed too.
        listed = {order.id for order in found}
        found = [order for order in found if order.head not in listed]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    limit = min(int(query.get("limit", _USUAL_ORDERS)), _MOST_ORDERS)
    return [render.order_json(state, order, nested=nested) for order in found[:limit]]


def _activities(state: State, query: _Query) -> list[Json]:
    kinds = query["activity_types"].split(",") if query.get("activity_types") else None
    after, until = given_time(query, "after"), given_time(query, "until")
    found = [
        item
        for item in state.activities
        if (kinds is None or item["activity_type"] in kinds)
        and (after is None or _when(item) > after)
        and (until is None or _when(item) < until)
        and query.get("order_id") in (None, item.get("order_id"))
    ]
    if query.get("direction", "desc") == "desc":
        found.reverse()
    token = query.get("page_token")
    if token:
        places = [i for i, item in enumerate(found) if item["id"] == token]
        if not places:
            raise invalid(f"invalid page_token {token}")
        found = found[places[0] + 1 :]
    return found[: min(int(query.get("page_size", _MOST_ACTIVITIES)), _MOST_ACTIVITIES)]


def _when(item: Json) -> datetime:
    told = item.get("transaction_time") or item["date"]
    time = datetime.fromisoformat(told)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _calendar(state: State, query: _Query) -> list[Json]:
    first, last = given_time(query, "start"), given_time(query, "end")
    return render.calendar_json(first or state.now, last or first or state.now)


def _market_data(state: State, path: str, query: _Query) -> Json:
    if path == "/v2/stocks/bars":
        return _bars(state, query)
    write = {"/v2/stocks/quotes/latest": _quote, "/v2/stocks/trades/latest": _trade}.get(path)
    if write is None:
        raise Refusal(404, NOT_FOUND, f"no data for {path}")
    known = [symbol for symbol in query.get("symbols", "").split(",") if symbol in state.quotes]
    return {path.split("/")[3]: {symbol: write(state.quotes[symbol], _of(state, symbol)) for symbol in known}}


def _of(state: State, symbol: str) -> datetime:
    """Time of the last trade and of the quote."""
    quote = state.quotes[symbol]
    return state.now if quote.is_standing and state.session is not Session.CLOSED else quote.time


def _quote(quote: Quote, time: datetime) -> Json:
    size = 100.0 if quote.size is None else float(quote.size)
    sides = {"bp": float(quote.bid), "ap": float(quote.ask), "bs": size, "as": size, "bx": "V", "ax": "V"}
    return {"t": stamp(time), **sides, "c": ["R"], "z": "C"}


def _trade(quote: Quote, time: datetime) -> Json:
    return {"t": stamp(time), "p": float(quote.last), "s": 100, "x": "V", "c": ["@"], "i": 1, "z": "C"}


def _bars(state: State, query: _Query) -> Json:
    """Bars of one minute or of one day, made of the prices that were posted."""
    start, end = given_time(query, "start"), given_time(query, "end")
    beginning = _SPANS.get(query.get("timeframe", "1Min"))
    if beginning is None:
        raise invalid(f"invalid timeframe {query['timeframe']!r}: simulated are {', '.join(_SPANS)}")
    rows = [
        (symbol, bar)
        for symbol in sorted(query.get("symbols", "").split(","))
        for bar in _made(state.prints.get(symbol, ()), beginning)
        if (start is None or bar["t"] >= stamp(start)) and (end is None or bar["t"] <= stamp(end))
    ]
    first = int(query.get("page_token") or 0)
    last = first + int(query.get("limit", 1000))
    bars: dict[str, list[Json]] = {}
    for symbol, bar in rows[first:last]:
        bars.setdefault(symbol, []).append(bar)
    return {"bars": bars, "next_page_token": str(last) if last < len(rows) else None}


def _made(prints: Any, beginning: Mapping[str, int]) -> list[Json]:
    bars: dict[str, Json] = {}
    for time, price, size in prints:
        key, value = stamp(time.replace(**beginning)), float(price)
        bar = bars.setdefault(
            key, {"t": key, "o": value, "h": value, "l": value, "c": value, "v": 0, "n": 0, "vw": value}
        )
        bar["h"], bar["l"], bar["c"] = max(bar["h"], value), min(bar["l"], value), value
        bar["v"] += float(size)
        bar["n"] += 1
    return list(bars.values())


def _is_nested(query: _Query) -> bool:
    return query.get("nested", "").lower() == "true"


def given_time(query: _Query, key: str) -> datetime | None:
    """Read a time that a request may give; one without a zone is UTC."""
    given = query.get(key)
    if not given:
        return None
    try:
        time = datetime.fromisoformat(given)
    except ValueError:
        raise invalid(f"invalid {key} {given!r}") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_LISTS: Final[Mapping[str, Callable[[State, _Query], Any]]] = {
    "/v2/orders": _orders,
    "/v2/account": lambda state, _: render.account_json(state),
    "/v2/account/activities": _activities,
    "/v2/assets": lambda state, _: [render.asset_json(item) for item in state.listings.values()],
    "/v2/calendar": _calendar,
    "/v2/clock": lambda state, _: render.clock_json(state),
    "/v2/positions": lambda state, _: [render.position_json(state, symbol) for symbol in state.positions],
}
