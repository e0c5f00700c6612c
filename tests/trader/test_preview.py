"""A preview of an order: every rule that concerns it is asked, and the first that denies is the gate's own answer."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nt_ray.config import Settings, load_settings
from nt_ray.market.bars import Instrument
from nt_ray.risk.gate import RiskGate
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.books import Books
from nt_ray.trader.preview import from_journal
from nt_ray.trader.verdicts import verdicts
from nt_ray.trading import events as e
from nt_ray.trading.orders import OrderRequest, OrderType, Side

NOW = datetime(2026, 1, 6, 15, tzinfo=UTC)
EVENTS = (
    e.Deposited(NOW, "initial", Decimal(10_000)),
    e.Marked(NOW, {"KO": Decimal(50)}),
)


def order(quantity: int = 10, **changes: Any) -> OrderRequest:
    return OrderRequest("one", changes.pop("symbol", "KO"), Side.BUY, Decimal(quantity), "manual", **changes)


def books(*more: e.Event) -> Books:
    found = Books("USD")
    for event in (*EVENTS, *more):
        found.apply(event)
    found.now = NOW
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    values = {"brokers.enabled": "paper", "brokers.paper.kind": "alpaca", "state": str(tmp_path)}
    return load_settings(None, values, environ={})


def refusing(told: list[Any]) -> list[str]:
    return [verdict.rule for verdict in told if verdict.reason]


def test_every_rule_answers_past_the_first_that_denies() -> None:
    halted = books(e.KillSwitchSet(NOW, "symbol:KO", "Ann", "drill"))
    gate = RiskGate(RiskLimits(max_order_notional=Decimal(1)), [Instrument("KO", Decimal("0.01"), Decimal(1))])
    told = verdicts(order(), gate, halted, "market orders")
    assert refusing(told) == ["capability", "kill_switch", "order_notional"]
    assert "market orders" in told[0].reason
    first = gate.check(order(), halted)
    assert first is not None
    assert (first.rule, first.reason) == (told[1].rule, told[1].reason)
    assert {"duplicate", "reference_price", "concentration"} <= {verdict.rule for verdict in told}


def test_where_no_price_is_known_the_rules_after_that_are_left_out(settings: Settings) -> None:
    told = from_journal(settings, "paper", order(), NOW)
    assert told[-1].rule == "reference_price"
    assert refusing(told) == ["reference_price"]


def test_a_journal_is_asked_as_it_stands_and_nothing_is_written_into_it(settings: Settings, tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "paper.sqlite")
    journal.open_epoch()
    journal.append(EVENTS)
    head = journal.head
    assert refusing(from_journal(settings, "paper", order(), NOW)) == []
    assert "concentration" in refusing(from_journal(settings, "paper", order(190), NOW))
    far = order(type=OrderType.LIMIT, limit_price=Decimal(500))
    assert "price_collar" in refusing(from_journal(settings, "paper", far, NOW))
    rests = order(type=OrderType.LIMIT, limit_price=Decimal(49), post_only=True)
    assert refusing(from_journal(settings, "paper", rests, NOW)) == ["capability"]
    journal.append([e.LimitsChanged(NOW, {"max_order_notional": "100"}, "Ann", "drill", None)])
    assert refusing(from_journal(settings, "paper", order(), NOW)) == ["order_notional"]
    journal.append([e.LimitsReverted(NOW, ("max_order_notional",), "Ann", "drill")])
    assert journal.written == head.seq + 2
    journal.close()
