"""The audit against accounts that are sabotaged on purpose: whatever they do wrong, it must say so."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nt_ray.brokers.alpaca.broker import AlpacaBroker
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.brokers.base import AmbiguousError, NotSentError, VenueOrder
from nt_ray.storage.chain import BEGINNING, Row, link
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trader.chaos import life as lives
from nt_ray.trader.chaos.audit import Held, VenueRecord, audit
from nt_ray.trader.chaos.drill import MOST_CRASHES, PRICES, examine, run_drill
from nt_ray.trader.chaos.life import CAPITAL, Post, open_account, venue
from nt_ray.trader.chaos.venue_record import alpaca_record
from nt_ray.trader.chaos.witness import Witness, read_testimony
from nt_ray.trader.reports import OrderReport
from nt_ray.trader.venue_link import VenueLink
from nt_ray.trading.ledger import Ledger
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce


class CrashError(BaseException):
    """The process dies here."""


def order(name: str, quantity: int = 3, limit: int | None = 95) -> OrderRequest:
    terms: dict[str, Any] = {} if limit is None else {"type": OrderType.LIMIT, "limit_price": Decimal(limit)}
    return OrderRequest(name, "AAPL", Side.BUY, Decimal(quantity), "eve", time_in_force=TimeInForce.GTC, **terms)


@dataclass
class Stage:
    """A venue, and accounts that trade there under the eyes of a witness."""

    simulator: AlpacaSimulator
    post: Post

    def trade(
        self,
        act: Callable[[Account], Sequence[OrderReport]],
        requests: Sequence[OrderRequest] = (),
        shape: Callable[[AlpacaBroker], Any] = lambda broker: broker,
        kind: type[Account] = Account,
    ) -> None:
        """Let an account of a kind do one thing over a broker that may be twisted; a crash ends it."""
        broker = venue(self.post)
        account = open_account(self.post, shape(broker), open_journal(self.post.journal))
        account.sync(datetime.now(UTC), PRICES)
        account.__class__ = kind
        with Witness(self.post.notes) as witness:
            witness.asks(requests)
            with suppress(CrashError):
                witness.hears(act(account))
        account.close()
        broker.close()

    def submit(self, *requests: OrderRequest, **how: Any) -> None:
        self.trade(lambda account: account.submit(requests), requests, **how)

    def faults(self) -> str:
        return "\n".join(examine(self.post, self.simulator).faults)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with AlpacaSimulator(cash=CAPITAL, symbols=PRICES, requests_per_minute=10**9) as simulator:
        journal, notes = str(tmp_path / "journal.sqlite"), tmp_path / "notes"
        yield Stage(simulator, Post(journal, simulator.access(), PRICES, notes, timeout_s=5.0, arrival_s=0.0))


class Twisted:
    """A broker of which one method does something else."""

    def __init__(self, broker: AlpacaBroker, method: str, instead: Callable[..., Any]) -> None:
        self._broker = broker
        self._method = method
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._broker, name)
        if name != self._method:
            return found
        return lambda *arguments: self._instead(found, *arguments)


def twisted(method: str, instead: Callable[..., Any]) -> Callable[[AlpacaBroker], Twisted]:
    return lambda broker: Twisted(broker, method, instead)


def test_an_honest_account_is_found_in_order(stage: Stage) -> None:
    stage.submit(order("works"), order("fills", limit=None), order("too-much", quantity=99_999_999))
    stage.simulator.fault("drop_after", method="POST")
    stage.submit(order("in-doubt"))
    stage.trade(lambda account: [account.cancel("works")])
    assert stage.faults() == ""
    found = {held.client_order_id: held.status for held in alpaca_record(stage.simulator).orders}
    assert found == {
        "works": OrderStatus.CANCELED,
        "fills": OrderStatus.FILLED,
        "in-doubt": OrderStatus.ACCEPTED,
    }


class Hasty(Account):
    """Sends before it journals, and dies in between."""

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        for request in requests:
            self._broker.submit_order(request)
        raise CrashError


def test_an_account_that_sends_before_it_journals_is_found(stage: Stage) -> None:
    stage.submit(order("early"), kind=Hasty)
    assert "early: at the venue and not in the journal" in stage.faults()


def hastily(post: Post, broker: Any, journal: Any) -> Account:
    account = open_account(post, broker, journal)
    account.__class__ = HastyInDrill
    return account


class HastyInDrill(Account):
    """Sends single orders first and journals them then."""

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        if len(requests) == 1 and not requests[0].replaces:
            self._link.send(tuple(requests), self._now())
        return super().submit(requests)


def test_a_drill_finds_an_account_that_sends_before_it_journals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ("before OrderSubmitted", "after venue.submit_order")
    honest = run_drill(str(tmp_path / "honest.sqlite"), 4, 1, steps=steps)
    assert honest.audit.faults == ()
    monkeypatch.setattr(lives, "open_account", hastily)
    hasty = run_drill(str(tmp_path / "hasty.sqlite"), 4, 1, steps=steps)
    assert any("at the venue and not in the journal" in fault for fault in hasty.audit.faults)


def test_an_account_that_sends_again_under_another_id_is_found(stage: Stage) -> None:
    def again(submit: Any, request: OrderRequest) -> VenueOrder:
        try:
            return submit(request)
        except AmbiguousError:
            return submit(replace(request, client_order_id=f"{request.client_order_id}.2"))

    stage.simulator.fault("drop_after", method="POST")
    stage.submit(order("a"), shape=twisted("submit_order", again))
    assert "a.2: at the venue and not in the journal" in stage.faults()


def test_an_account_that_sends_again_under_another_id_in_its_journal_is_found(stage: Stage) -> None:
    def twice(account: Account) -> list[OrderReport]:
        found = account.submit([order("a")])
        account.submit([order("a.2")])
        return found

    stage.simulator.fault("drop_after", method="POST")
    stage.trade(twice, [order("a")])
    assert stage.faults() == "a.2: nobody asked for it"


def test_an_account_that_drops_an_order_in_doubt_is_found(stage: Stage) -> None:
    def dropped(submit: Any, request: OrderRequest) -> VenueOrder:
        try:
            return submit(request)
        except AmbiguousError as error:
            raise NotSentError(str(error)) from error

    stage.simulator.fault("drop_after", method="POST")
    stage.submit(order("a"), shape=twisted("submit_order", dropped))
    found = stage.faults()
    assert "a: rejected in the books and accepted at the venue" in found
    assert "a: told it was not sent, and it is at the venue" in found
    assert "order a: ours rejected, venue working" in found


def test_an_account_that_leaves_an_order_in_doubt_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.simulator.fault("drop_after", method="POST")
    stage.submit(order("a"))
    monkeypatch.setattr(VenueLink, "settle", lambda *_, **__: [])
    monkeypatch.setattr("nt_ray.trader.chaos.drill.DOUBTS", ())
    assert "a: left submitted" in stage.faults()


def test_an_account_that_cancels_in_its_books_alone_is_found(stage: Stage) -> None:
    def pretended(_: Any, name: str) -> VenueOrder:
        return VenueOrder(name, "", OrderStatus.CANCELED, Decimal(0))

    stage.submit(order("a"))
    stage.trade(lambda account: [account.cancel("a")], shape=twisted("cancel_order", pretended))
    assert "a: canceled in the books and accepted at the venue" in stage.faults()


def test_an_account_that_sends_other_terms_is_found(stage: Stage) -> None:
    stage.submit(
        order("a"), shape=twisted("submit_order", lambda submit, r: submit(replace(r, quantity=r.quantity + 1)))
    )
    assert "a: ('AAPL', True, Decimal('3')) in the books and ('AAPL', True, Decimal('4')) at the venue" in (
        stage.faults()
    )


def test_an_account_that_journals_other_terms_than_it_was_given_is_found(stage: Stage) -> None:
    stage.trade(lambda account: account.submit([order("a", quantity=4)]), [order("a", quantity=3)])
    assert "a: asked for as" in stage.faults()


def test_a_lost_fill_is_found_though_the_adapter_hides_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.submit(order("a", limit=None), order("b", limit=None))
    honest = AlpacaBroker.fills
    monkeypatch.setattr(
        AlpacaBroker, "fills", lambda self, since: [f for f in honest(self, since) if f.client_order_id != "b"]
    )
    monkeypatch.setattr(AlpacaBroker, "positions", lambda self: {"AAPL": Decimal(3)})
    monkeypatch.setattr(AlpacaBroker, "account", lambda self: None)
    found = stage.faults()
    assert "b: 0 filled in the books and 3 at the venue" in found
    assert "AAPL: executions 3, ledger 3, venue 6" in found
    assert "cash: executions" in found


def test_books_that_post_a_fill_twice_are_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.submit(order("a", limit=None))
    honest = Ledger.fill
    monkeypatch.setattr(Ledger, "fill", lambda self, fill: (honest(self, fill), honest(self, fill))[0])
    assert "AAPL: executions 3, ledger 6, venue 3" in stage.faults()


def test_books_whose_accounts_do_not_balance_are_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.submit(order("a", limit=None))
    monkeypatch.setattr(Ledger, "balances", property(lambda self: {"cash:USD": Decimal(7)}))
    assert "ledger: accounts sum to 7" in stage.faults()


def test_an_execution_that_is_booked_twice_is_found(stage: Stage) -> None:
    stage.submit(order("a", limit=None))
    broker = venue(stage.post)
    account = open_account(stage.post, broker, open_journal(stage.post.journal))
    comparison = account.reconcile()
    account.books.fills.append(account.books.fills[0])
    found = audit(account.books, open_journal(stage.post.journal), alpaca_record(stage.simulator), comparison).faults
    assert any(fault.endswith("booked 2 times") for fault in found)
    assert "journal: a replay of all events gives other books" in found
    account.close()
    broker.close()


def tamper(path: str, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


MORE = """UPDATE events SET payload = replace(payload, '"quantity":"3"', '"quantity":"4"')"""


def test_a_changed_row_is_found(stage: Stage) -> None:
    stage.submit(order("a"))
    tamper(stage.post.journal, MORE)
    assert "journal: event " in stage.faults()


def test_a_changed_row_is_found_though_the_whole_chain_is_made_anew(stage: Stage) -> None:
    stage.submit(order("a"))
    tamper(stage.post.journal, MORE, "DELETE FROM snapshots")
    rechain(stage.post.journal)
    found = stage.faults()
    assert "journal:" not in found
    assert "a: ('AAPL', True, Decimal('4')) in the books and ('AAPL', True, Decimal('3')) at the venue" in found


def rechain(path: str) -> None:
    connection = sqlite3.connect(path)
    digest = BEGINNING.hash
    columns = "seq, epoch, time, kind, client_order_id, payload, hash"
    for row in [Row(*r) for r in connection.execute(f"SELECT {columns} FROM events ORDER BY seq").fetchall()]:
        digest = link(digest, row.seq, row.epoch, row.written)
        connection.execute("UPDATE events SET hash = ? WHERE seq = ?", (digest, row.seq))
    connection.commit()
    connection.close()


def test_a_journal_whose_end_was_lost_after_it_was_told_is_found(stage: Stage) -> None:
    stage.submit(order("denied", quantity=99_999_999))
    tamper(stage.post.journal, "DELETE FROM events WHERE client_order_id = 'denied'", "DELETE FROM snapshots")
    journal = open_journal(stage.post.journal)
    assert journal.verify().fault is None
    journal.close()
    assert stage.faults() == "denied: told denied and not in the journal"


def test_a_writer_that_wrote_after_it_was_replaced_is_found(stage: Stage) -> None:
    stage.submit(order("a"))
    stage.submit(order("b"))
    tamper(stage.post.journal, "UPDATE events SET epoch = 1 WHERE client_order_id = 'b'", "DELETE FROM snapshots")
    rechain(stage.post.journal)
    assert "of epoch 1, written after epoch 2 had begun" in stage.faults()


def test_two_orders_of_one_id_at_the_venue_are_found(stage: Stage) -> None:
    stage.submit(order("a"))
    broker = venue(stage.post)
    account = open_account(stage.post, broker, open_journal(stage.post.journal))
    (held,) = alpaca_record(stage.simulator).orders
    assert held == Held("a", "AAPL", True, Decimal(3), Decimal(0), OrderStatus.ACCEPTED)
    journal = open_journal(stage.post.journal)
    record = VenueRecord([held, held], {}, CAPITAL)
    heard = read_testimony(stage.post.notes)
    assert audit(account.books, journal, record, account.reconcile(), heard).faults == ("a: 2 orders at the venue",)
    for each in (account, broker, journal):
        each.close()


def test_a_promise_that_is_taken_back_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.submit(order("a"))
    with Witness(stage.post.notes) as witness:
        witness.hears([OrderReport(order("a"), OrderStatus.CANCELED)])
    assert stage.faults() == "a: told canceled, now accepted"


def test_a_life_that_ends_by_an_error_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ArithmeticError("one and one are three")

    monkeypatch.setattr("nt_ray.trader.chaos.agents.Agents.act", fails)
    drill = run_drill(str(tmp_path / "journal.sqlite"), 1, 1, steps=("before venue.cancel_order",), shared=False)
    assert drill.kills == 0
    assert drill.lives == MOST_CRASHES
    assert any("a life ended by" in fault and "one and one are three" in fault for fault in drill.audit.faults)
