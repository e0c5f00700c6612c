"""Orders on their way to an account, and its reports on their way back, as bytes.

A parcel is JSON: numbers and times as text, so that nothing is rounded, and nothing but text is ever read. It is made
for the way between processes, on which bytes go as they are and objects are taken apart and put together again. A
report is about the order that was asked for, so it travels without it. It knows neither who carries it nor where to.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from nt_ray.errors import BadInputError
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest, OrderStatus, from_wire
from nt_ray.trading.verdict import Verdict


class ParcelError(BadInputError):
    """Bytes that are no parcel."""

    def __init__(self, parcel: bytes, what: str) -> None:
        super().__init__(f"{parcel[:60]!r} is no parcel of {what}. Use the same version of the program on both sides.")


def pack_orders(requests: Sequence[OrderRequest]) -> bytes:
    """Pack requests."""
    return _dumps([request.wire() for request in requests]).encode()


def unpack_orders(parcel: bytes) -> list[OrderRequest]:
    """Unpack requests."""
    try:
        return [_order(values) for values in _loads(parcel.decode())]
    except _FAULTS as error:
        raise ParcelError(parcel, "orders") from error


def pack_reports(reports: Sequence[OrderReport]) -> bytes:
    """Pack reports, without the requests that they are about."""
    return _dumps(
        [
            (r.status, str(r.filled_quantity), r.venue_order_id, r.rule, r.reason, r.not_sent, _said(r.verdict))
            for r in reports
        ]
    ).encode()


def unpack_reports(parcel: bytes, requests: Sequence[OrderRequest]) -> list[OrderReport]:
    """Unpack reports on these requests, in their order."""
    try:
        return [
            OrderReport(request, _STATUSES[status], Decimal(filled), id_, rule, reason, not_sent, _verdict(said))
            for request, (status, filled, id_, rule, reason, not_sent, said) in zip(
                requests, _loads(parcel.decode()), strict=True
            )
        ]
    except _FAULTS as error:
        raise ParcelError(parcel, "reports") from error


_FAULTS: Final = (ValueError, TypeError, LookupError, InvalidOperation)
_STATUSES: Final = {str(status): status for status in OrderStatus}
_EXPIRY: Final = 11
"""Place of `expire_at` among the values of a request."""

_loads: Final = json.JSONDecoder().decode


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(value)


_dumps: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_text).encode


def _said(verdict: Verdict | None) -> tuple[int, int, str] | None:
    return None if verdict is None else (verdict.status, verdict.code, verdict.message)


def _verdict(said: tuple[int, int, str] | None) -> Verdict | None:
    return None if said is None else Verdict(*said)


def _order(values: list[Any]) -> OrderRequest:
    if values[_EXPIRY] is not None:
        values[_EXPIRY] = datetime.fromisoformat(values[_EXPIRY])
    return from_wire(*values)
