import copy
import pickle
from dataclasses import astuple
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from ray import cloudpickle

from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from nt_ray.trading.verdict import Verdict

ENTRY = OrderRequest("a", "KO", Side.BUY, Decimal("1.10"), "test")
EXIT = OrderRequest(
    "b", "KO", Side.SELL, Decimal("3E+2"), "test", OrderType.STOP_LIMIT, Decimal("10.0"), TimeInForce.GTD,
    Decimal("9.50"), expire_at=datetime(2030, 1, 2, tzinfo=UTC), reduce_only=True, parent="a", oco_group="g",
)  # fmt: skip
TRAIL = OrderRequest("c", "KO", Side.SELL, Decimal(1), "t", OrderType.TRAILING_STOP, trail_percent=Decimal("2.50"))
MONEY = OrderRequest(
    "d", "KO", Side.BUY, Decimal(0), "t", notional=Decimal("99.90"), replaces="a", position_effect="open"
)


@pytest.mark.parametrize("request_", [ENTRY, EXIT, TRAIL, MONEY], ids=lambda request: request.client_order_id)
@pytest.mark.parametrize("status", OrderStatus)
def test_a_report_arrives_as_it_was_sent(request_: OrderRequest, status: OrderStatus) -> None:
    said = Verdict(403, 40310000, "insufficient buying power")
    told = OrderReport(request_, status, Decimal("1.00"), "v-1", "rule", "why", not_sent=True, verdict=said)
    for arrived in (pickle.loads(pickle.dumps(told)), cloudpickle.loads(cloudpickle.dumps(told)), copy.deepcopy(told)):
        assert arrived == told
        assert arrived.status is status
        assert arrived.request.side is request_.side
        # Equal Decimals may differ in their digits.
        assert repr(astuple(arrived)) == repr(astuple(told))


def test_a_message_of_many_reports_is_short() -> None:
    reports = [
        OrderReport(OrderRequest(f"a{n}", "KO", Side.BUY, Decimal(n), "test"), OrderStatus.ACCEPTED) for n in (1, 2)
    ]
    assert len(cloudpickle.dumps(reports)) < 300
