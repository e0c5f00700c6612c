from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.brokers.base import Broker, OrderRejectedError, VenueDownError
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import BrokerError, StorageError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.trading.orders import Fill, OrderRequest, OrderStatus, OrderType, Side, TimeInForce

DAY = 86_400_000_000_000
FREE = Costs(Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal("0.5"))
NAN = float("nan")


def panel() -> BarPanel:
    instruments = (
        Instrument("KO", Decimal("0.01"), Decimal(1)),
        Instrument("PEP", Decimal("0.01"), Decimal(1)),
        Instrument("FUND", Decimal("0.01"), Decimal("0.5"), close_only=True),
    )
    ko = [[10, 11, 9, 10, 100], [10, 12, 9.5, 11, 100], [11, 13, 10.5, 12, 8], [12, 12.5, 11, 12, 100]]
    pep = [[20, 21, 19, 20, NAN], [NAN] * 5, [22, 23, 21, 22, NAN], [22, 24, 20, 23, NAN]]
    fund = [[NAN, NAN, NAN, close, NAN] for close in (5, 5.5, 6, 6.5)]
    values = np.ascontiguousarray(np.array([ko, pep, fund], dtype=np.float64).transpose(1, 0, 2))
    return BarPanel(instruments, np.arange(1, 5, dtype=np.int64) * DAY, values)


def order(client_order_id: str, symbol: str = "KO", quantity: str = "10", **changes: Any) -> OrderRequest:
    values: dict[str, Any] = {"side": Side.BUY, "strategy": "test"}
    return OrderRequest(client_order_id, symbol, quantity=Decimal(quantity), **(values | changes))


def limit(price: str, **changes: Any) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": Decimal(price), **changes}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "venue.sqlite"


@pytest.fixture
def venue(path: Path) -> Iterator[SimulatedExchange]:
    exchange = SimulatedExchange("sim", panel(), FREE, path)
    exchange.advance(0)
    yield exchange
    exchange.close()


def reopened(path: Path) -> SimulatedExchange:
    return SimulatedExchange("sim", panel(), FREE, path)


def told(fills: list[Fill]) -> list[tuple[str, Decimal, Decimal]]:
    return [(f.client_order_id, f.quantity, f.price) for f in fills]


def status(venue: SimulatedExchange, client_order_id: str) -> OrderStatus | None:
    found = venue.order(client_order_id)
    return None if found is None else found.status


def test_it_is_a_broker(venue: SimulatedExchange) -> None:
    assert isinstance(venue, Broker)
    assert venue.name == "sim"


def test_a_market_order_fills_at_the_next_open(venue: SimulatedExchange) -> None:
    assert venue.submit_order(order("a")).status is OrderStatus.ACCEPTED
    assert venue.fills(None) == []
    venue.advance(1)
    fill = Fill("sim-1-a", "a", "KO", Side.BUY, Decimal(10), Decimal(10), Decimal(0), datetime(1970, 1, 3, tzinfo=UTC))
    assert venue.fills(None) == [fill]
    assert status(venue, "a") is OrderStatus.FILLED
    assert venue.positions() == {"KO": Decimal(10)}
    assert venue.open_orders() == []


def test_a_close_only_instrument_fills_at_its_close(venue: SimulatedExchange) -> None:
    venue.submit_order(order("a", "FUND", "2.5"))
    venue.advance(1)
    assert told(venue.fills(None)) == [("a", Decimal("2.5"), Decimal("5.5"))]


def test_orders_of_a_bar_match_in_column_order_then_in_order_of_entry(venue: SimulatedExchange) -> None:
    for client_order_id, symbol in [("f", "FUND"), ("k1", "KO"), ("k0", "KO")]:
        venue.submit_order(order(client_order_id, symbol))
    venue.advance(1)
    assert [f.client_order_id for f in venue.fills(None)] == ["k1", "k0", "f"]
    assert [f.client_order_id for f in venue.fills(datetime(1970, 1, 4, tzinfo=UTC))] == []


def test_a_day_order_expires_with_its_first_bar_even_where_there_is_none(venue: SimulatedExchange) -> None:
    venue.submit_order(order("no-bar", "PEP"))
    venue.submit_order(order("too-low", **limit("9.00")))
    venue.advance(1)
    assert status(venue, "no-bar") is OrderStatus.EXPIRED
    assert status(venue, "too-low") is OrderStatus.EXPIRED
    assert venue.fills(None) == []


def test_a_gtc_order_works_until_it_is_filled(venue: SimulatedExchange) -> None:
    venue.submit_order(order("a", "PEP", **limit("21.50", time_in_force=TimeInForce.GTC)))
    venue.advance(1)
    assert status(venue, "a") is OrderStatus.ACCEPTED
    venue.advance(2)
    assert told(venue.fills(None)) == [("a", Decimal(10), Decimal("21.50"))]


def test_orders_share_a_bars_volume_in_order_of_entry(venue: SimulatedExchange) -> None:
    venue.submit_order(order("gtc", quantity="40", time_in_force=TimeInForce.GTC))
    venue.submit_order(order("day", quantity="60"))
    venue.submit_order(order("next", quantity="60", time_in_force=TimeInForce.GTC))
    venue.advance(1)
    assert status(venue, "gtc") is OrderStatus.FILLED
    assert status(venue, "day") is OrderStatus.EXPIRED
    venue.advance(3)
    expected = [("gtc", 40, "10"), ("day", 10, "10"), ("next", 4, "11"), ("next", 50, "12")]
    assert told(venue.fills(None)) == [(i, Decimal(q), Decimal(p)) for i, q, p in expected]


def test_costs_are_those_of_the_venue(path: Path) -> None:
    costs = Costs(Decimal(10), Decimal("0.01"), Decimal(1), Decimal(100), Decimal(1))
    exchange = SimulatedExchange("sim", panel(), costs, path)
    exchange.advance(0)
    exchange.submit_order(order("buy", quantity="100"))
    exchange.submit_order(order("sell", "FUND", "1", side=Side.SELL))
    exchange.advance(1)
    buy, sell = exchange.fills(None)
    # 1 % worse than the open of 10; 10 bps of 1010 and a cent a share.
    assert (buy.price, buy.commission) == (Decimal("10.10"), Decimal("2.01"))
    # 1 % of 5.50 is 5.5 cents, rounded up against the seller; the minimum commission.
    assert (sell.price, sell.commission) == (Decimal("5.44"), Decimal(1))
    exchange.close()


def test_a_client_id_names_one_order_for_ever(venue: SimulatedExchange) -> None:
    first = venue.submit_order(order("a"))
    assert venue.submit_order(order("a")) == first
    with pytest.raises(OrderRejectedError, match="is a different order already"):
        venue.submit_order(order("a", quantity="11"))
    venue.advance(1)
    again = venue.submit_order(order("a"))
    assert (again.status, again.filled_quantity) == (OrderStatus.FILLED, Decimal(10))
    venue.advance(2)
    assert len(venue.fills(None)) == 1


def test_an_order_that_came_by_another_door_of_the_same_book_is_the_same_order(
    venue: SimulatedExchange, path: Path
) -> None:
    later = reopened(path)
    first = venue.submit_order(order("a"))
    assert later.submit_order(order("a")) == first
    with pytest.raises(OrderRejectedError, match="is a different order already"):
        later.submit_order(order("a", quantity="11"))
    assert later.submit_order(order("b")).venue_order_id == "sim-2"
    later.close()


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (order("a", "XYZ"), "not listed"),
        (order("a", quantity="1.5"), "quantity 1.5"),
        (order("a", quantity="1e30"), "quantity 1E"),
        (order("a", **limit("10.005")), "limit price 10.005"),
    ],
)
def test_what_the_venue_cannot_take_is_rejected(venue: SimulatedExchange, request_: OrderRequest, reason: str) -> None:
    with pytest.raises(OrderRejectedError, match=reason.replace("+", r"\+")):
        venue.submit_order(request_)
    assert venue.order("a") is None


def test_a_cancel_ends_what_is_left(venue: SimulatedExchange) -> None:
    venue.submit_order(order("a", quantity="60", time_in_force=TimeInForce.GTC))
    venue.advance(1)
    assert venue.cancel_order("a").status is OrderStatus.CANCELED
    assert venue.cancel_order("a").filled_quantity == Decimal(50)
    venue.advance(3)
    assert len(venue.fills(None)) == 1
    with pytest.raises(OrderRejectedError, match="no order b"):
        venue.cancel_order("b")


def test_a_bar_is_matched_once_however_often_it_is_asked_for(venue: SimulatedExchange) -> None:
    venue.submit_order(order("a", quantity="60", time_in_force=TimeInForce.GTC))
    for row in (1, 1, 0, 1):
        venue.advance(row)
    assert len(venue.fills(None)) == 1
    assert venue.cursor == 1


def test_skipped_bars_are_matched_one_by_one(tmp_path: Path) -> None:
    ends = []
    for name, rows in (("steps", (0, 1, 2, 3)), ("leap", (0, 3))):
        exchange = SimulatedExchange("sim", panel(), FREE, tmp_path / name)
        exchange.advance(rows[0])
        exchange.submit_order(order("a", quantity="60", time_in_force=TimeInForce.GTC))
        for row in rows[1:]:
            exchange.advance(row)
        ends.append(exchange.fills(None))
        exchange.close()
    assert ends[0] == ends[1]
    assert len(ends[0]) == 3


def test_rows_past_the_end_are_refused(venue: SimulatedExchange) -> None:
    with pytest.raises(BrokerError, match="row 4 lies past the last, 3"):
        venue.advance(4)


def test_an_outage_closes_order_entry_and_keeps_the_state(venue: SimulatedExchange, path: Path) -> None:
    venue.submit_order(order("a"))
    venue.fail(True)
    for call in (venue.ping, lambda: venue.submit_order(order("b")), lambda: venue.cancel_order("a")):
        with pytest.raises(VenueDownError, match="sim cannot be reached"):
            call()
    other = reopened(path)
    with pytest.raises(VenueDownError):
        other.ping()
    other.close()
    venue.advance(1)
    venue.fail(False)
    venue.ping()
    assert venue.order("b") is None
    assert status(venue, "a") is OrderStatus.FILLED


def test_a_venue_opened_again_goes_on_where_it_was(venue: SimulatedExchange, path: Path) -> None:
    venue.submit_order(order("a", quantity="60", time_in_force=TimeInForce.GTC))
    venue.submit_order(order("b", "FUND", "3", side=Side.SELL))
    venue.advance(1)
    again = reopened(path)
    assert (again.cursor, again.positions(), again.fills(None)) == (1, venue.positions(), venue.fills(None))
    assert again.open_orders() == venue.open_orders()
    again.advance(3)
    assert again.positions() == {"KO": Decimal(60), "FUND": Decimal(-3)}
    again.close()


def test_the_book_of_another_venue_is_refused(venue: SimulatedExchange, path: Path) -> None:
    with pytest.raises(StorageError, match="book of another venue"):
        SimulatedExchange("other", panel(), FREE, path)
    with pytest.raises(StorageError, match="book of another venue"):
        SimulatedExchange("sim", panel().select(["KO"]), FREE, path)
