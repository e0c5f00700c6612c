"""Refusals in Alpaca's words and numbers, and what a report of the account means in them.

A denial of the gate is a 403 that names the rule, its sentence and no order; what the venue refuses is a 422.
"""

from collections.abc import Sequence
from typing import Final

from deployments.gateway.problems import GatewayError
from nt_ray.brokers.alpaca.shapes import FORBIDDEN, INVALID, NOT_FOUND, UNPROCESSABLE
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderStatus

_OF_ANOTHER: Final = "linked"
_DUPLICATE: Final = "duplicate"
_INCAPABLE: Final = "capability"
_IMPOSSIBLE: Final = "replace"


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


class UnsentError(GatewayError):
    """An order that certainly did not reach the venue."""

    code = "not_sent"
    status = 503


class MissingError(GatewayError):
    """An order, a position or an asset that is not there."""

    code = "not_found"
    status = 404
    alpaca_code = NOT_FOUND


def check(reports: Sequence[OrderReport]) -> None:
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
        raise DeniedError(report)
    if report.not_sent:
        raise UnsentError(f"{report.reason} Send it again under a new client_order_id.")
    raise UnprocessableError(report.reason)
