"""What a venue booked without an order, as events: each once, and each on what those before it leave."""

from datetime import UTC, datetime
from decimal import Decimal

from nt_ray.brokers.custody import ActivityKind, VenueActivity
from nt_ray.trader.activities import bookings
from nt_ray.trader.books import Books
from nt_ray.trading import actions as a
from nt_ray.trading import events as e

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
D = Decimal


def books_that_hold(symbol: str, quantity: int, mark: int) -> Books:
    books = Books()
    books.apply(e.Deposited(NOW, "initial", D(1_000)))
    books.apply(a.UnitsTransferred(NOW, "before", symbol, D(quantity), D(mark), D(mark), "ann", "drill"))
    books.apply(e.Marked(NOW, {}))
    return books


def test_an_activity_that_stands_twice_in_one_answer_is_booked_once() -> None:
    dividend = VenueActivity("d", ActivityKind.DIVIDEND, D(5), "KO")
    assert bookings(Books(), [dividend, dividend], NOW) == [a.DividendPaid(NOW, "d", "KO", D(5))]
    none = VenueActivity("n", ActivityKind.DIVIDEND, D(0), "KO")
    assert bookings(Books(), [none, none], NOW) == [e.ActivitiesPassed(NOW, ("n",))]


def test_units_that_come_in_behind_a_split_are_worth_what_one_is_after_it() -> None:
    books = books_that_hold("KO", 10, 60)
    told = [
        VenueActivity("s", ActivityKind.SPLIT, D(0), "KO", D(10)),
        VenueActivity("u", ActivityKind.UNITS, D(0), "KO", D(4)),
    ]
    split, units = bookings(books, told, NOW)
    assert isinstance(units, a.UnitsTransferred)
    assert (units.price, units.mark) == (30, 30)
    for event in (split, units, e.Marked(NOW, {})):
        books.apply(event)
    assert (books.equity, books.breaker.high_water) == (1_720, 1_720)
