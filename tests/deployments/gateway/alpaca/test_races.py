"""An execution that races a replacement or a cancel: no order is lost, quantities are right, both sides agree."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import Settings
from nt_ray.storage.opening import opened
from nt_ray.trader.connection import journal_of
from nt_ray.trader.live_plan import SettingsPlan

REST = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "60"}
HELD_S = 4.0
"""How long the venue's answer is held back: the market moves meanwhile."""
UNPROCESSABLE = 42210000


class Desk:
    """A gateway before an account whose venue's answers can be held back."""

    def __init__(self, desk: Any, venue: AlpacaSimulator, settings: Settings) -> None:
        self.venue, self.settings = venue, settings
        self.live = desk.backend.accounts.live["paper"]
        self.http = desk.client(timeout=30)
        self._pool = ThreadPoolExecutor(4)

    def close(self) -> None:
        self._pool.shutdown()
        self.http.close()

    def rest(self, **more: str) -> str:
        """Send an order that rests; its id."""
        told = self.http.post("/v2/orders", json=REST | more)
        assert told.status_code == 200, told.text
        until(lambda: self.order(told.json()["id"])["status"] == "new")
        return str(told.json()["id"])

    def order(self, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/v2/orders/{id_}").json()
        return found

    def ask(self, method: str, id_: str, **body: str) -> Any:
        """Ask for a change beside what the test does."""
        return self._pool.submit(self.http.request, method, f"/v2/orders/{id_}", json=body or None)

    def at_venue(self) -> dict[str, tuple[str, Decimal]]:
        return {order["client_order_id"]: (order["status"], order["filled"]) for order in self.venue.orders()}

    def settled(self) -> dict[str, tuple[str, Decimal]]:
        """Each order's state and quantity, once nothing is under way and both sides say the same."""
        until(lambda: not any(order.status.value.startswith(("pending", "submitted")) for order in self.live.orders()))
        until(lambda: self.live.reconcile().agrees)
        told = self.http.get("/v2/orders", params={"status": "all", "limit": 500}).json()
        ours = {order["client_order_id"]: (order["status"], Decimal(order["filled_qty"])) for order in told}
        venue = self.at_venue()
        assert {name: found for name, found in ours.items() if found[0] != "rejected"} == venue
        held = {symbol: quantity for symbol, quantity in self.venue.holdings()[1].items() if quantity}
        assert {p["symbol"]: Decimal(p["qty"]) for p in self.http.get("/v2/positions").json()} == held
        assert held.get("AAPL", 0) == sum(filled for _, filled in venue.values())
        with opened(journal_of(self.settings, "paper")) as journal:
            assert journal.verify().fault is None
        return ours


def until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def race(desk: Any, simulator: AlpacaSimulator, plan: SettingsPlan) -> Iterator[Desk]:
    made = Desk(desk, simulator, plan.settings)
    yield made
    made.close()


def test_a_fill_before_the_replacement_arrives_stands_and_the_replacement_is_refused(race: Desk) -> None:
    old = race.rest(client_order_id="old")
    # The venue is asked for the order, and before it is asked to replace it, it has traded.
    race.venue.fault("delay", method="GET", client_order_id="old", seconds=HELD_S)
    asked = race.ask("PATCH", old, limit_price="61", client_order_id="new")
    until(lambda: race.live.order("old").status.value == "pending_replace")
    race.venue.price("AAPL", "60")
    answer = asked.result()
    assert (answer.status_code, answer.json()["code"]) == (422, UNPROCESSABLE), answer.text
    assert race.settled() == {"old": ("filled", 10), "new": ("rejected", 0)}


def test_a_fill_after_the_replacement_arrived_is_the_replacements(race: Desk) -> None:
    old = race.rest(client_order_id="old")
    race.venue.fault("delay", method="PATCH", seconds=HELD_S)
    asked = race.ask("PATCH", old, qty="7", limit_price="61", client_order_id="new")
    until(lambda: "new" in race.at_venue())
    race.venue.price("AAPL", "60.5")
    answer = asked.result()
    assert (answer.status_code, answer.json()["client_order_id"]) == (200, "new")
    assert race.settled() == {"old": ("replaced", 0), "new": ("filled", 7)}


def test_a_part_filled_before_the_replacement_arrives_counts_once(race: Desk) -> None:
    old = race.rest(client_order_id="old")
    race.venue.fault("delay", method="GET", client_order_id="old", seconds=HELD_S)
    asked = race.ask("PATCH", old, limit_price="59", client_order_id="new")
    until(lambda: race.live.order("old").status.value == "pending_replace")
    race.venue.price("AAPL", "60", size="3")
    answer = asked.result()
    assert (answer.status_code, answer.json()["client_order_id"]) == (200, "new")
    ours = race.settled()
    assert ours["old"] == ("replaced", 3)
    race.venue.price("AAPL", "59")
    until(lambda: race.live.order("new").status.value == "filled")
    assert race.settled()["new"][1] == Decimal(answer.json()["qty"])


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "error"])
def test_a_replacement_whose_answer_is_lost_is_found_with_what_it_filled_meanwhile(race: Desk, kind: str) -> None:
    old = race.rest(client_order_id="old")
    race.venue.fault(kind, method="PATCH", processed=True)
    asked = race.ask("PATCH", old, limit_price="61", client_order_id="new")
    until(lambda: "new" in race.at_venue())
    race.venue.price("AAPL", "61")
    assert asked.result().status_code == 200
    assert race.settled() == {"old": ("replaced", 0), "new": ("filled", 10)}


def test_a_fill_before_the_cancel_arrives_stands_and_the_cancel_is_refused(race: Desk) -> None:
    old = race.rest(client_order_id="old")
    race.venue.fault("hold", method="DELETE", seconds=HELD_S)
    asked = race.ask("DELETE", old)
    until(lambda: race.live.order("old").status.value == "pending_cancel")
    race.venue.price("AAPL", "60")
    answer = asked.result()
    assert (answer.status_code, answer.json()["code"]) == (422, UNPROCESSABLE), answer.text
    assert race.settled() == {"old": ("filled", 10)}


def test_a_part_filled_before_the_cancel_arrives_stays_and_the_rest_is_gone(race: Desk) -> None:
    old = race.rest(client_order_id="old")
    race.venue.fault("hold", method="DELETE", seconds=HELD_S)
    asked = race.ask("DELETE", old)
    until(lambda: race.live.order("old").status.value == "pending_cancel")
    race.venue.price("AAPL", "60", size="4")
    assert asked.result().status_code == 204
    assert race.settled() == {"old": ("canceled", 4)}


def test_whatever_replacements_cancels_and_executions_do_to_each_other_both_sides_agree(race: Desk) -> None:
    chance = random.Random(7)
    ids = [race.rest(client_order_id=f"o-{n}", limit_price=str(60 + n % 5)) for n in range(16)]
    over = threading.Event()

    def trade() -> None:
        while not over.is_set():
            race.venue.price("AAPL", str(chance.randint(59, 66)), size=str(chance.randint(1, 12)))
            time.sleep(0.005)

    market = threading.Thread(target=trade)
    market.start()

    def change(id_: str) -> list[httpx.Response]:
        own = random.Random(id_)
        answers = [race.http.patch(f"/v2/orders/{id_}", json={"limit_price": str(own.randint(57, 62))})]
        newest = answers[0].json()["id"] if answers[0].status_code == 200 else id_
        return [*answers, race.http.delete(f"/v2/orders/{newest}")]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for both in pool.map(change, ids) for answer in both]
    over.set()
    market.join()
    assert {answer.status_code for answer in answers} <= {200, 204, 422}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 422} <= {UNPROCESSABLE, 40010001}
    names = {f"o-{n}" for n in range(16)}
    assert names <= race.settled().keys()
