from dataclasses import astuple
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.errors import BadInputError
from nt_ray.trader.parcels import ParcelError, pack_orders, pack_reports, unpack_orders, unpack_reports
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from nt_ray.trading.verdict import Verdict

ENTRY = OrderRequest("a", "KO", Side.BUY, Decimal("1.10"), 'a "strategy"\x00 of Ångström\'s')
EXIT = OrderRequest(
    "b", "KO", Side.SELL, Decimal("3E+2"), "test", OrderType.STOP_LIMIT, Decimal("10.0"), TimeInForce.GTD,
    Decimal("9.50"), expire_at=datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC), reduce_only=True, parent="a",
    oco_group="g",
)  # fmt: skip
TRAIL = OrderRequest("c", "KO", Side.SELL, Decimal(1), "t", OrderType.TRAILING_STOP, trail_percent=Decimal("2.50"))
MONEY = OrderRequest(
    "d", "KO", Side.BUY, Decimal(0), "t", notional=Decimal("99.90"), replaces="a", position_effect="open"
)
ORDERS = [ENTRY, EXIT, TRAIL, MONEY]

texts = st.text(st.characters(), max_size=12)
amounts = st.decimals(min_value="0.00000001", max_value="1e20", allow_nan=False, allow_infinity=False)


def test_orders_arrive_as_they_were_packed() -> None:
    arrived = unpack_orders(pack_orders(ORDERS))
    assert arrived == ORDERS
    for before, after in zip(ORDERS, arrived, strict=True):
        # Equal Decimals may differ in their digits.
        assert repr(astuple(after)) == repr(astuple(before))
        assert after.side is before.side
    assert unpack_orders(pack_orders([])) == []


def test_a_time_with_another_offset_arrives_as_the_same_instant() -> None:
    at = datetime(2030, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=-5)))
    request = OrderRequest("e", "KO", Side.BUY, Decimal(1), "t", time_in_force=TimeInForce.GTD, expire_at=at)
    assert unpack_orders(pack_orders([request])) == [request]


@given(
    st.lists(
        st.builds(
            OrderRequest,
            st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True),
            texts,
            st.sampled_from(Side),
            amounts,
            texts,
            st.just(OrderType.LIMIT),
            amounts,
            st.sampled_from([TimeInForce.DAY, TimeInForce.IOC]),
        ),
        max_size=3,
    ),
    st.sampled_from(OrderStatus),
    amounts,
    texts,
)
def test_whatever_texts_and_numbers_are_packed_come_out(
    requests: list[OrderRequest], status: OrderStatus, filled: Decimal, text: str
) -> None:
    arrived = unpack_orders(pack_orders(requests))
    assert repr(arrived) == repr(requests)
    said = Verdict(403, 40310000, text) if text else None
    reports = [OrderReport(r, status, filled, text, text, text, not_sent=bool(text), verdict=said) for r in requests]
    told = unpack_reports(pack_reports(reports), requests)
    assert repr(told) == repr(reports)
    assert all(report.status is status for report in told)


@pytest.mark.parametrize("parcel", [b"", b"\xff", b"{}x", b"7", b"[7]", b'[["a"]]', pack_orders([EXIT])[:-2]])
def test_bytes_that_are_no_parcel_are_named(parcel: bytes) -> None:
    with pytest.raises(ParcelError, match=r"is no parcel of orders\. Use the same version"):
        unpack_orders(parcel)
    with pytest.raises(ParcelError, match="is no parcel of reports"):
        unpack_reports(parcel, [ENTRY])


def test_an_order_that_cannot_be_one_is_refused_where_it_arrives() -> None:
    parcel = pack_orders([ENTRY]).replace(b'"1.10"', b'"-1"')
    with pytest.raises(BadInputError, match="quantity -1 must be a positive number"):
        unpack_orders(parcel)


def test_reports_of_another_number_of_orders_are_refused() -> None:
    parcel = pack_reports([OrderReport(ENTRY, OrderStatus.ACCEPTED)])
    with pytest.raises(ParcelError):
        unpack_reports(parcel, [ENTRY, EXIT])
