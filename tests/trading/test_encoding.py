import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nt_ray.trading import actions as a
from nt_ray.trading import events as e
from nt_ray.trading.encoding import EncodingError, Written, decode, encode
from nt_ray.trading.orders import Fill, OrderRequest, OrderType, Side, TimeInForce
from nt_ray.trading.verdict import Verdict

TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(fold=0))
TEXT = st.text(max_size=20)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True)
SIDES = st.sampled_from(Side)
NUMBERS = st.decimals(min_value=Decimal("1e-20"), max_value=Decimal("1e20"), allow_nan=False, allow_infinity=False)
LIMIT = {"type": st.just(OrderType.LIMIT), "limit_price": NUMBERS}
STOP = {"type": st.just(OrderType.STOP), "stop_price": NUMBERS}
TRAIL = {"type": st.just(OrderType.TRAILING_STOP)}
LINKS = {
    "parent": IDS.map(lambda name: f"p{name[:60]}"),
    "oco_group": TEXT,
    "replaces": IDS.map("r{:.60}".format),
}
TERMS: list[dict[str, Any]] = [
    {},
    LIMIT | LINKS | {"time_in_force": st.sampled_from([t for t in TimeInForce if t is not TimeInForce.GTD])},
    LIMIT | {"time_in_force": st.just(TimeInForce.GTD), "expire_at": TIMES, "post_only": st.booleans()},
    LIMIT | {"extended_hours": st.booleans(), "reduce_only": st.booleans()},
    LIMIT | {"position_effect": st.sampled_from(["", "open", "close"])},
    STOP | LINKS | {"time_in_force": st.just(TimeInForce.GTC)},
    LIMIT | STOP | {"type": st.just(OrderType.STOP_LIMIT)},
    TRAIL | {"trail_amount": NUMBERS},
    TRAIL | {"trail_percent": st.decimals(Decimal("0.01"), Decimal("99.9"), places=2)},
]
OWN = IDS.map(lambda name: f"o{name[:60]}")
"""Ids of orders, never those of their links."""
REQUESTS = st.one_of(
    *(st.builds(OrderRequest, OWN, TEXT, SIDES, NUMBERS, TEXT, **terms) for terms in TERMS),
    st.builds(OrderRequest, OWN, TEXT, SIDES, st.just(Decimal(0)), TEXT, notional=NUMBERS),
)
FILLS = st.builds(Fill, TEXT, IDS, TEXT, SIDES, NUMBERS, NUMBERS, NUMBERS, TIMES, st.none() | NUMBERS)
VERDICTS = st.builds(Verdict, st.integers(400, 499), st.integers(0, 10**8), TEXT)
EVENTS = st.one_of(
    st.builds(e.OrderInitialized, TIMES, REQUESTS),
    st.builds(e.OrderDenied, TIMES, IDS, TEXT, TEXT, TEXT, TEXT),
    st.builds(e.OrderSubmitted, TIMES, IDS),
    st.builds(e.OrderAccepted, TIMES, IDS, TEXT),
    st.builds(e.OrderRejected, TIMES, IDS, TEXT, st.booleans(), st.none() | VERDICTS),
    st.builds(e.OrderGivenUp, TIMES, IDS, TEXT),
    st.builds(e.OrderFound, TIMES, IDS, TEXT),
    st.builds(e.FactDisputed, TIMES, IDS, TEXT, TEXT),
    st.builds(e.DisputesSettled, TIMES, st.lists(TEXT, max_size=3).map(tuple), TEXT, TEXT),
    st.builds(e.ActivitiesPassed, TIMES, st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(a.CashTransferred, TIMES, TEXT, NUMBERS, TEXT, TEXT),
    st.builds(a.UnitsTransferred, TIMES, TEXT, TEXT.filter(bool), NUMBERS, NUMBERS, NUMBERS, TEXT, TEXT),
    st.builds(e.OrderFilled, TIMES, FILLS),
    st.builds(e.PendingCancel, TIMES, IDS),
    st.builds(e.CancelRejected, TIMES, IDS, TEXT),
    st.builds(e.OrderCanceled, TIMES, IDS),
    st.builds(e.OrderExpired, TIMES, IDS),
    st.builds(e.PendingReplace, TIMES, IDS, IDS),
    st.builds(e.ReplaceRejected, TIMES, IDS, TEXT),
    st.builds(e.OrderReplaced, TIMES, IDS, IDS),
    st.builds(e.RequestRefused, TIMES, IDS, TEXT, TEXT),
    st.builds(e.EpochStarted, TIMES, st.integers(1, 10**9), TEXT),
    st.builds(e.Deposited, TIMES, TEXT, NUMBERS),
    st.builds(e.Marked, TIMES, st.dictionaries(TEXT, NUMBERS, max_size=4)),
    st.builds(e.BreakerTripped, TIMES, TEXT, TEXT, TEXT),
    st.builds(e.BreakerReset, TIMES, TEXT, TEXT),
    st.builds(e.KillSwitchSet, TIMES, TEXT, TEXT, TEXT),
    st.builds(e.KillSwitchCleared, TIMES, TEXT, TEXT, TEXT),
)
SAMPLE = Written("OrderAccepted", "2026-01-02T03:04:05.000006+00:00", "a.1", '{"venue_order_id":"v"}')


@given(REQUESTS)
def test_a_request_arrives_in_a_message_as_it_was_sent(request_: OrderRequest) -> None:
    arrived = pickle.loads(pickle.dumps(request_))
    assert arrived == request_
    assert repr(arrived) == repr(request_)
    assert (arrived.side, arrived.type) == (Side(request_.side), OrderType(request_.type))


@given(EVENTS)
def test_every_event_comes_back_exactly_as_it_was(event: e.Event) -> None:
    back = decode(encode(event))
    assert back == event
    # Decimals that are equal may differ in their digits (1.0 and 1.00); the text shows those too.
    assert repr(back) == repr(event)


@given(EVENTS)
def test_the_payload_is_plain_json_without_floats(event: e.Event) -> None:
    def no_float(text: str) -> None:
        pytest.fail(f"float {text} in a payload")

    json.loads(encode(event).payload, parse_float=no_float)


def test_every_kind_of_event_is_covered() -> None:
    seen = {"OrderInitialized", "OrderFilled", "Marked", "Deposited"}
    from nt_ray.trading.encoding import _READERS, _WRITERS

    kinds = {kind.__name__ for kind in get_args(e.Event)}
    assert kinds == set(_WRITERS) == set(_READERS)
    assert seen < kinds


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=2))])
def test_a_time_that_is_not_utc_is_refused(zone: timezone | None) -> None:
    with pytest.raises(EncodingError, match="UTC"):
        encode(e.OrderSubmitted(datetime(2026, 1, 2, tzinfo=zone), "a.1"))


@pytest.mark.parametrize(
    "written",
    [
        SAMPLE._replace(kind="Surprise"),
        SAMPLE._replace(time="yesterday"),
        SAMPLE._replace(time="2026-01-02T03:04:05+02:00"),
        SAMPLE._replace(payload="{"),
        SAMPLE._replace(payload="{}"),
        SAMPLE._replace(payload="[]"),
        Written("Deposited", SAMPLE.time, "", '{"deposit_id":"x","amount":"much"}'),
        Written(
            "OrderInitialized",
            SAMPLE.time,
            "bad id!",
            encode(
                e.OrderInitialized(datetime(2026, 1, 2, tzinfo=UTC), OrderRequest("a", "B", Side.BUY, Decimal(1), "s"))
            ).payload,
        ),
    ],
)
def test_text_that_is_no_event_is_refused_with_a_typed_error(written: Written) -> None:
    from nt_ray.errors import NeuralTraderError

    with pytest.raises(NeuralTraderError):
        decode(written)
