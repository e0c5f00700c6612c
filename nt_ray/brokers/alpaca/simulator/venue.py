"""The simulated venue as one function: a request and the time in, an answer out, messages of the stream on the side.

Everything that happens follows from the requests in their order and their times, so a list of them is the whole
state, and whoever handles the same list again stands where this one stood. It knows no sockets and no faults.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from nt_ray.brokers.alpaca.shapes import NOT_FOUND, UNPROCESSABLE
from nt_ray.brokers.alpaca.simulator import engine, queries
from nt_ray.brokers.alpaca.simulator.intake import Refusal, invalid, order_from, replacement_of
from nt_ray.brokers.alpaca.simulator.model import ZERO, Listing, Order, Position, Quote, Session, State
from nt_ray.brokers.alpaca.simulator.render import asset_id, order_json
from nt_ray.brokers.alpaca.wire import Json

_LAST_CANCELABLE: Final = ("filled", "canceled", "expired", "replaced", "rejected")
_TICK: Final = timedelta(microseconds=1)
_FLAGS: Final = ("fractionable", "shortable", "tradable", "easy_to_borrow")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer; None is no body."""

    status: int
    body: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the venue sees it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def changes(self) -> bool:
        """Whether the request may change the state."""
        return self.method != "GET"


class Venue:
    """One simulated account at one simulated venue."""

    def __init__(self, key: str, secret: str, cash: Decimal) -> None:
        self.state = State(key, secret, cash)
        self._posts: Mapping[str, Callable[[Json], Any]] = {
            "/v2/orders": self._submit,
            "/simulator/price": self._price,
            "/simulator/session": self._session,
            "/simulator/asset": self._asset,
            "/simulator/cash": self._cash,
            "/simulator/activity": self._activity,
            "/simulator/skew": self._skew,
            "/simulator/account": self._account,
        }

    def handle(self, call: Call, now: datetime) -> Answer:
        """Answer one request; time never stands still between two."""
        state = self.state
        state.now = max(now.astimezone(UTC) + timedelta(seconds=state.skew_s), state.now + _TICK)
        try:
            return self._route(call)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body)

    def messages(self) -> list[Json]:
        """Take the messages of the stream that the last calls gave rise to."""
        taken, self.state.outbox = self.state.outbox, []
        return taken

    def stale(self, call: Call) -> Json | None:
        """An order as it stood before it was cancelled, for the request that asks for it; None where there is none."""
        found = queries.asked_order(self.state, call.path, call.query)
        return None if found is None else self.state.before_cancel.get(found.id)

    def _route(self, call: Call) -> Answer:
        if call.method == "POST" and call.path in self._posts:
            if not isinstance(call.body, dict):
                raise Refusal(400, 40010000, "request body format is invalid")
            return Answer(200, self._posts[call.path](call.body))
        if call.path == "/v2/orders" and call.method == "DELETE":
            return Answer(207, self._cancel_all())
        if call.path.startswith("/v2/orders/") and call.method in ("PATCH", "DELETE"):
            order = self._order(call.path)
            if call.method == "PATCH":
                return Answer(200, self._replace(order, call.body))
            self._cancel(order)
            return Answer(204)
        if call.method == "GET":
            return Answer(200, queries.answer(self.state, call.path, call.query))
        raise Refusal(404, NOT_FOUND, "endpoint not found")

    def _order(self, path: str) -> Order:
        order = queries.asked_order(self.state, path, {})
        if order is None:
            raise Refusal(404, NOT_FOUND, f"order not found for {path.rsplit('/', 1)[1]}")
        return order

    def _submit(self, body: Json) -> Json:
        order, legs = order_from(self.state, body)
        state = self.state
        for new in (order, *legs):
            state.orders[new.id] = new
            state.by_client_id[new.client_order_id] = new.id
        queued = state.session is not Session.OPEN and not order.extended_hours
        order.status = "accepted" if queued or order.time_in_force in ("opg", "cls") else "pending_new"
        answer = order_json(state, order, nested=True)
        engine.emit(state, order.status, order)
        engine.release(state, order)
        return answer

    def _replace(self, old: Order, body: Any) -> Json:
        state = self.state
        new = replacement_of(state, old, body if isinstance(body, dict) else {})
        new.status = old.status if old.status == "held" else "accepted"
        state.orders[new.id] = new
        state.by_client_id[new.client_order_id] = new.id
        old.replaced_by = new.id
        for leg in [o for o in state.orders.values() if o.head == old.id]:
            leg.head = new.id
        answer = order_json(state, new, nested=True)
        engine.end(state, old, "replaced")
        if new.status != "held":
            engine.release(state, new)
        return answer

    def _cancel(self, order: Order) -> None:
        if order.status in _LAST_CANCELABLE:
            raise Refusal(422, UNPROCESSABLE, f'order is already in "{order.status}" state')
        self.state.before_cancel[order.id] = order_json(self.state, order, nested=True)
        engine.end(self.state, order, "canceled")

    def _cancel_all(self) -> list[Json]:
        found = []
        for order in [o for o in self.state.orders.values() if o.is_working]:
            found.append({"id": order.id, "status": 200})
            if order.is_working:
                self._cancel(order)
        return found

    def _price(self, body: Json) -> Json:
        symbol = str(body.get("symbol", ""))
        if symbol not in self.state.listings:
            raise Refusal(404, NOT_FOUND, f"asset not found for {symbol}")
        last = _amount(body, "price")
        bid = _amount(body, "bid") if "bid" in body else last
        ask = _amount(body, "ask") if "ask" in body else last
        size = _amount(body, "size") if body.get("size") is not None else None
        given = queries.given_time(body, "time")
        engine.quote(self.state, symbol, Quote(bid, ask, last, given or self.state.now, size, given is None))
        return {"symbol": symbol, "price": str(last)}

    def _session(self, body: Json) -> Json:
        name = str(body.get("session", ""))
        if name not in tuple(Session):
            raise invalid(f"invalid session {name!r}")
        engine.switch(self.state, Session(name))
        return {"session": name}

    def _asset(self, body: Json) -> Json:
        flags = {name: body.get(name) is not False for name in _FLAGS}
        listing = Listing(str(body.get("symbol", "")), **flags)
        self.state.listings[listing.symbol] = listing
        return {"symbol": listing.symbol}

    def _cash(self, body: Json) -> Json:
        amount = _amount(body, "amount", signed=True)
        self._note("CSD" if amount > 0 else "CSW", amount)
        return {"cash": str(self.state.cash)}

    def _activity(self, body: Json) -> Json:
        """Book an activity by its word: money, and units of a symbol that come in or go out."""
        told: Json = {}
        if body.get("symbol"):
            told["symbol"] = str(body["symbol"])
        if body.get("qty") is not None:
            change, price = _amount(body, "qty", signed=True), body.get("price")
            told["qty"] = str(change)
            held = self.state.positions.setdefault(str(body.get("symbol")), Position())
            cost = held.quantity * held.average
            if price is not None:
                cost += change * _amount(body, "price")
                told["price"] = str(price)
            held.quantity += change
            held.average = cost / held.quantity if held.quantity else ZERO
            if not held.quantity:
                del self.state.positions[told["symbol"]]
        return {"id": self._note(str(body.get("kind")), _amount(body, "amount", signed=True), **told)}

    def _note(self, kind: str, amount: Decimal, **told: str) -> str:
        """Move the cash and keep the activity; return its id."""
        state = self.state
        state.cash += amount
        day = state.now.date().isoformat()
        name = f"{day.replace('-', '')}000000000::{state.new_id()}"
        head = {"activity_type": kind, "id": name, "account_id": asset_id(state.key), "date": day}
        state.activities.append(head | {"net_amount": str(amount), "description": "", "status": "executed"} | told)
        return name

    def _account(self, body: Json) -> Json:
        self.state.blocked = body.get("blocked") is True
        return {"blocked": self.state.blocked}

    def _skew(self, body: Json) -> Json:
        self.state.skew_s = float(_amount(body, "seconds", signed=True))
        return {"seconds": self.state.skew_s}


def _amount(body: Json, key: str, *, signed: bool = False) -> Decimal:
    try:
        number = Decimal(str(body.get(key)))
    except InvalidOperation:
        raise invalid(f"invalid {key} {body.get(key)!r}") from None
    if not number.is_finite() or (number <= 0 and not signed):
        raise invalid(f"{key} must be > 0")
    return number
