"""How events are written down: JSON that gives back the very same event, numbers and times included.

Decimals travel as strings and times as ISO 8601 in UTC, so nothing is rounded. Reading accepts only the kinds
and fields of `nt_ray.trading.events`; no code is ever run from what is read.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Any, Final, NamedTuple

from nt_ray.errors import TradingError
from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.orders import Fill, OrderRequest, OrderType, Side, TimeInForce
from nt_ray.trading.verdict import Verdict

_dumps: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


class EncodingError(TradingError):
    """An event that cannot be written down or read back."""


class Written(NamedTuple):
    """An event as text."""

    kind: str
    time: str
    client_order_id: str
    payload: str


def encode(event: e.Event) -> Written:
    """Write an event down."""
    time = event.time
    if time.tzinfo is not UTC and time.utcoffset() != UTC.utcoffset(None):
        raise EncodingError(f"{type(event).__name__} has the time {time}. Give a time in UTC.")
    kind = type(event).__name__
    writer = _WRITERS.get(kind)
    if writer is None:
        raise EncodingError(f"{kind} is not an event. Use the classes of nt_ray.trading.events.")
    client_order_id: str = getattr(event, "client_order_id", "")
    body = writer(event)
    return Written(kind, time.isoformat(), client_order_id, _dumps(body) if body else "{}")


def decode(written: Written) -> e.Event:
    """Read an event back; raise `EncodingError` where the text is not one."""
    reader = _READERS.get(written.kind)
    if reader is None:
        raise EncodingError(
            f"Event kind {written.kind!r} is not known. The journal was written by a newer version; update."
        )
    try:
        return reader(_time(written.time), written.client_order_id, json.loads(written.payload))
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise EncodingError(
            f"A {written.kind} event cannot be read: {written.payload!r}. Restore the journal from a copy."
        ) from error


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.utcoffset() != UTC.utcoffset(None):
        raise ValueError(f"time {text!r} is not UTC")
    return time.replace(tzinfo=UTC)


_AMOUNTS: Final = {
    "limit_price": "limit",
    "stop_price": "stop",
    "trail_amount": "trail",
    "trail_percent": "trail_percent",
    "notional": "notional",
}
"""Optional amounts of a request and the keys under which they are written."""

_TERMS: Final = (
    "post_only",
    "reduce_only",
    "extended_hours",
    "parent",
    "oco_group",
    "replaces",
    "position_effect",
)

_amounts: Final = attrgetter(*_AMOUNTS)
_terms: Final = attrgetter(*_TERMS)


def _write_request(event: e.OrderInitialized) -> dict[str, Any]:
    request = event.request
    written = {
        "symbol": request.symbol,
        "side": request.side,
        "quantity": str(request.quantity),
        "strategy": request.strategy,
        "type": request.type,
        "tif": request.time_in_force,
    }
    for key, amount in zip(_AMOUNTS.values(), _amounts(request), strict=True):
        if amount is not None:
            written[key] = str(amount)
    if request.expire_at is not None:
        written["expire_at"] = request.expire_at.astimezone(UTC).isoformat()
    # What is as it is by default is left out.
    written.update({name: term for name, term in zip(_TERMS, _terms(request), strict=True) if term})
    return written


def _read_request(time: datetime, client_order_id: str, body: Mapping[str, Any]) -> e.OrderInitialized:
    optional: dict[str, Any] = {name: Decimal(body[key]) for name, key in _AMOUNTS.items() if key in body}
    optional.update({name: body[name] for name in _TERMS if name in body})
    request = OrderRequest(
        client_order_id,
        body["symbol"],
        Side(body["side"]),
        Decimal(body["quantity"]),
        body["strategy"],
        OrderType(body["type"]),
        time_in_force=TimeInForce(body["tif"]),
        expire_at=_time(body["expire_at"]) if "expire_at" in body else None,
        **optional,
    )
    return e.OrderInitialized(time, request)


def _write_rejected(event: e.OrderRejected) -> dict[str, Any]:
    written: dict[str, Any] = {"reason": event.reason, "not_sent": event.not_sent}
    said = event.verdict
    return written if said is None else written | {"verdict": [said.status, said.code, said.message]}


def _read_rejected(time: datetime, client_order_id: str, body: Mapping[str, Any]) -> e.OrderRejected:
    said = Verdict(*body["verdict"]) if "verdict" in body else None
    return e.OrderRejected(time, client_order_id, body["reason"], body["not_sent"], said)


def _write_fill(event: e.OrderFilled) -> dict[str, Any]:
    fill = event.fill
    written = {
        "execution_id": fill.execution_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "commission": str(fill.commission),
        "time": fill.time.isoformat(),
    }
    if fill.leaves is not None:
        written["leaves"] = str(fill.leaves)
    return written


def _read_fill(time: datetime, client_order_id: str, body: Mapping[str, Any]) -> e.OrderFilled:
    fill = Fill(
        body["execution_id"],
        client_order_id,
        body["symbol"],
        Side(body["side"]),
        Decimal(body["quantity"]),
        Decimal(body["price"]),
        Decimal(body["commission"]),
        _time(body["time"]),
        Decimal(body["leaves"]) if "leaves" in body else None,
    )
    return e.OrderFilled(time, fill)


def _write_marks(event: e.Marked) -> dict[str, Any]:
    return {symbol: str(price) for symbol, price in event.marks.items()}


def _read_marks(time: datetime, _: str, body: Mapping[str, Any]) -> e.Marked:
    return e.Marked(time, {symbol: Decimal(price) for symbol, price in body.items()})


def _write_deposit(event: e.Deposited) -> dict[str, Any]:
    return {"deposit_id": event.deposit_id, "amount": str(event.amount)}


def _read_deposit(time: datetime, _: str, body: Mapping[str, Any]) -> e.Deposited:
    return e.Deposited(time, body["deposit_id"], Decimal(body["amount"]))


def _write_limits(event: e.LimitsChanged) -> dict[str, Any]:
    expires = None if event.expires is None else event.expires.astimezone(UTC).isoformat()
    return {"changes": dict(event.changes), "who": event.who, "reason": event.reason, "expires": expires}


def _read_limits(time: datetime, _: str, body: Mapping[str, Any]) -> e.LimitsChanged:
    expires = None if body["expires"] is None else _time(body["expires"])
    return e.LimitsChanged(time, dict(body["changes"]), body["who"], body["reason"], expires)


def _write_reverted(event: e.LimitsReverted) -> dict[str, Any]:
    return {"names": list(event.names), "who": event.who, "reason": event.reason}


def _read_reverted(time: datetime, _: str, body: Mapping[str, Any]) -> e.LimitsReverted:
    return e.LimitsReverted(time, tuple(body["names"]), body["who"], body["reason"])


def _write_passed(event: e.ActivitiesPassed) -> dict[str, Any]:
    return {"ids": list(event.ids)}


def _read_passed(time: datetime, _: str, body: Mapping[str, Any]) -> e.ActivitiesPassed:
    return e.ActivitiesPassed(time, tuple(body["ids"]))


def _write_settled(event: e.DisputesSettled) -> dict[str, Any]:
    return {"facts": list(event.facts), "who": event.who, "reason": event.reason}


def _read_settled(time: datetime, _: str, body: Mapping[str, Any]) -> e.DisputesSettled:
    return e.DisputesSettled(time, tuple(body["facts"]), body["who"], body["reason"])


def _write_lots(event: a.LotsNamed) -> dict[str, Any]:
    return {"symbol": event.symbol, "lots": event.lots}


def _read_lots(time: datetime, client_order_id: str, body: Mapping[str, Any]) -> a.LotsNamed:
    return a.LotsNamed(time, client_order_id, body["symbol"], tuple(body["lots"]))


_Writer = Callable[[Any], dict[str, Any]]
_Reader = Callable[[datetime, str, Mapping[str, Any]], e.Event]

_ORDER_KINDS: Final[dict[type, tuple[str, ...]]] = {
    e.OrderDenied: ("rule", "limit", "value", "reason"),
    e.OrderSubmitted: (),
    e.OrderAccepted: ("venue_order_id",),
    e.PendingCancel: (),
    e.CancelRejected: ("reason",),
    e.OrderCanceled: (),
    e.PendingReplace: ("by",),
    e.ReplaceRejected: ("reason",),
    e.OrderReplaced: ("by",),
    e.OrderExpired: (),
    e.OrderGivenUp: ("reason",),
    e.OrderFound: ("venue_order_id",),
    e.RequestRefused: ("rule", "reason"),
    e.FactDisputed: ("fact", "reason"),
}
"""Events of an order whose fields are plain text or truth values."""

_ACCOUNT_KINDS: Final[dict[type, tuple[str, ...]]] = {
    e.EpochStarted: ("epoch", "account"),
    e.BreakerTripped: ("rule", "limit", "value"),
    e.BreakerHalfOpened: (),
    e.BreakerReset: ("who", "reason"),
    e.KillSwitchSet: ("scope", "who", "reason"),
    e.KillSwitchCleared: ("scope", "who", "reason"),
}
"""Events of the account whose fields are plain."""


_ACTIONS: Final[dict[type, dict[str, type]]] = {
    a.DividendPaid: {"action_id": str, "symbol": str, "amount": Decimal},
    a.SplitApplied: {"action_id": str, "symbol": str, "new": int, "old": int, "quantity": Decimal, "cash": Decimal},
    a.SymbolChanged: {"action_id": str, "symbol": str, "into": str},
    a.Charged: {"action_id": str, "charge": str, "amount": Decimal},
    a.CashExchanged: {"action_id": str, "sold": Decimal, "of": str, "bought": Decimal, "into": str},
    a.UnitsTransferred: {
        "action_id": str,
        "symbol": str,
        "quantity": Decimal,
        "price": Decimal,
        "mark": Decimal,
        "who": str,
        "reason": str,
    },
    a.CashTransferred: {"action_id": str, "amount": Decimal, "who": str, "reason": str},
}
"""Actions: fields by type; all but whole numbers are written as text."""


def _action_writer(fields: Mapping[str, type]) -> _Writer:
    return lambda event: {f: getattr(event, f) if t is int else str(getattr(event, f)) for f, t in fields.items()}


def _action_reader(kind: type, fields: Mapping[str, type]) -> _Reader:
    return lambda time, _, body: kind(time, *(t(body[f]) for f, t in fields.items()))


def _plain_writer(fields: tuple[str, ...]) -> _Writer:
    return lambda event: {field: getattr(event, field) for field in fields}


def _order_reader(kind: type, fields: tuple[str, ...]) -> _Reader:
    return lambda time, client_order_id, body: kind(time, client_order_id, *(body[f] for f in fields))


def _account_reader(kind: type, fields: tuple[str, ...]) -> _Reader:
    return lambda time, _, body: kind(time, *(body[f] for f in fields))


_WRITERS: Final[dict[str, _Writer]] = {
    "OrderInitialized": _write_request,
    "OrderFilled": _write_fill,
    "OrderRejected": _write_rejected,
    "Marked": _write_marks,
    "Deposited": _write_deposit,
    "LotsNamed": _write_lots,
    "ActivitiesPassed": _write_passed,
    "DisputesSettled": _write_settled,
    **{k.__name__: _action_writer(f) for k, f in _ACTIONS.items()},
    "LimitsChanged": _write_limits,
    "LimitsReverted": _write_reverted,
    **{k.__name__: _plain_writer(f) for k, f in (_ORDER_KINDS | _ACCOUNT_KINDS).items()},
}

_READERS: Final[dict[str, _Reader]] = {
    "OrderInitialized": _read_request,
    "OrderFilled": _read_fill,
    "OrderRejected": _read_rejected,
    "Marked": _read_marks,
    "Deposited": _read_deposit,
    "LotsNamed": _read_lots,
    "ActivitiesPassed": _read_passed,
    "DisputesSettled": _read_settled,
    **{k.__name__: _action_reader(k, f) for k, f in _ACTIONS.items()},
    "LimitsChanged": _read_limits,
    "LimitsReverted": _read_reverted,
    **{k.__name__: _order_reader(k, f) for k, f in _ORDER_KINDS.items()},
    **{k.__name__: _account_reader(k, f) for k, f in _ACCOUNT_KINDS.items()},
}
