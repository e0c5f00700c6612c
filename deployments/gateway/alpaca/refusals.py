"""Refusals in Alpaca's words and numbers, and what a report of the account means in them.

A denial of the gate is a 403 that names the rule, its sentence and no order. What the venue refuses bears the status,
the code and the message of the venue, where it has told them, and is a 422 where it has not.
"""

from collections.abc import Sequence
from typing import Final

from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.problems import GatewayError
from nt_ray.brokers.alpaca.shapes import FORBIDDEN, INVALID, NOT_FOUND, UNPROCESSABLE, text
from nt_ray.risk.rules.effect import Closable, Effect
from nt_ray.trader.live_readings import OrderQuery
from nt_ray.trader.overview import Overview
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderStatus
from nt_ray.trading.verdict import Verdict

_OF_ANOTHER: Final = "linked"
_DUPLICATE: Final = "duplicate"
_INCAPABLE: Final = "capability"
_IMPOSSIBLE: Final = "replace"
OTHERWISE: Final = Effect.name
"""Rule of the gate that denies an order which does something else to the position than it says."""
_MOST_RELATED: Final = 100


class DeniedError(GatewayError):
    """The gate let an order not pass."""

    code = "denied"
    status = 403
    alpaca_code = FORBIDDEN

    def __init__(self, report: OrderReport) -> None:
        super().__init__(report.reason)
        self.details = {"rule": report.rule, "client_order_id": report.request.client_order_id}


class InvalidError(GatewayError):
    """An order that makes no sense."""

    code = "invalid_order"
    status = 422
    alpaca_code = INVALID


class UnprocessableError(GatewayError):
    """An order that makes sense, and that cannot be."""

    code = "unprocessable"
    status = 422
    alpaca_code = UNPROCESSABLE


class InsufficientError(GatewayError):
    """An order that closes more than other orders leave of a position; they are `related` by their ids."""

    code = "insufficient"
    status = 403
    alpaca_code = FORBIDDEN

    def __init__(self, report: OrderReport, overview: Overview, related: Sequence[str]) -> None:
        super().__init__(_words(report))
        symbol = report.request.symbol
        held = next((one for one in overview.holdings if one.symbol == symbol), None)
        self.details = {
            "symbol": symbol,
            "existing_qty": text(abs(held.quantity)) if held else "0",
            "held_for_orders": text(held.held_for_orders) if held else "0",
            "related_orders": list(related),
            "rule": report.rule,
            "client_order_id": report.request.client_order_id,
        }


class VenueError(GatewayError):
    """An order that the venue has refused, with what it said."""

    code = "refused_by_venue"

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.status = verdict.status
        self.alpaca_code = verdict.code or None


class UnsentError(GatewayError):
    """An order that certainly did not reach the venue."""

    code = "not_sent"
    status = 503


class MissingError(GatewayError):
    """An order, a position, an asset or a watchlist that is not there."""

    code = "not_found"
    status = 404
    alpaca_code = NOT_FOUND


class NotHereError(GatewayError):
    """A part of Alpaca's interface that has no meaning here."""

    code = "not_available"
    status = 404
    alpaca_code = NOT_FOUND


async def check(door: AccountDoor, reports: Sequence[OrderReport]) -> None:
    """Raise where an order, or one that it is linked to, did not come to be."""
    refused = [report for report in reports if report.status in (OrderStatus.DENIED, OrderStatus.REJECTED)]
    if not refused:
        return
    # What was denied because of another says less than the other.
    report = next((one for one in refused if one.rule != _OF_ANOTHER), refused[0])
    if report.status is OrderStatus.DENIED:
        if report.rule == _DUPLICATE:
            raise InvalidError("client_order_id must be unique")
        if report.rule in (_INCAPABLE, _IMPOSSIBLE):
            raise UnprocessableError(report.reason)
        if report.rule == OTHERWISE:
            raise UnprocessableError(_words(report))
        if report.rule == Closable.name:
            raise await _insufficient(door, report)
        raise DeniedError(report)
    if report.not_sent:
        raise UnsentError(f"{report.reason} Send it again under a new client_order_id.")
    if report.verdict is not None:
        raise VenueError(report.verdict)
    raise UnprocessableError(report.reason)


async def _insufficient(door: AccountDoor, report: OrderReport) -> InsufficientError:
    request = report.request
    query = OrderQuery(symbols=frozenset({request.symbol}), side=request.side, limit=_MOST_RELATED)
    related = [family.record.id for family in await door.query(query)]
    return InsufficientError(report, await door.overview(), related)


def _words(report: OrderReport) -> str:
    """What a denial says in Alpaca's words: the first of its sentences."""
    return report.reason.removeprefix(f"{report.request.client_order_id}: ").partition(". ")[0]
