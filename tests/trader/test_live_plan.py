"""What a live account learns from the venue of its plan: prices with the times of their trades."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nt_ray.brokers.alpaca.data import AlpacaData, TopOfBook
from nt_ray.brokers.alpaca.simulator.simulator import AlpacaSimulator
from nt_ray.config import load_settings
from nt_ray.market.archive import save_panel
from nt_ray.market.source import load_panel
from nt_ray.trader import daily_reconciliation
from nt_ray.trader.connection import due_at
from nt_ray.trader.daily_reconciliation import kept_reconciliations
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import ExchangePlan, SettingsPlan, comparisons_of
from nt_ray.trader.price import Top
from nt_ray.trader.usage import Tail
from nt_ray.trader.watcher import Pace
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side, TimeInForce


@pytest.fixture
def simulator() -> Iterator[AlpacaSimulator]:
    with AlpacaSimulator(requests_per_minute=100_000) as running:
        yield running


def plan_of(simulator: AlpacaSimulator, folder: Path, **more: Any) -> SettingsPlan:
    table = {"kind": "alpaca", "url": simulator.url, "key": "PKSIMULATED", "secret": "simulated-secret"}
    values = {f"brokers.paper.{field}": value for field, value in table.items()}
    settings = load_settings(None, {"brokers.enabled": "paper", "state": str(folder), **values, **more}, environ={})
    return SettingsPlan(settings, "paper", ("AAPL",))


def order(name: str, side: Side, quantity: int = 1) -> OrderRequest:
    return OrderRequest(name, "AAPL", side, Decimal(quantity), "test", time_in_force=TimeInForce.GTC)


def test_a_plan_knows_how_many_orders_its_venue_takes_at_a_time(simulator: AlpacaSimulator, tmp_path: Path) -> None:
    save_panel(load_panel("indices"), tmp_path / "bars")
    exchange = ExchangePlan("paper", tmp_path, tmp_path / "bars", 1000, Decimal(1_000))
    for plan in (plan_of(simulator, tmp_path / "alpaca"), exchange):
        opened = plan.open(lambda: datetime.now(UTC))
        try:
            assert opened.broker.capabilities().concurrency == plan.concurrency
        finally:
            opened.account.close()
            opened.close()


AGES = {"risk.max_reference_age_s": "600", "risk.reference_hours": "always", "risk.duplicate_window_s": "0"}


def test_a_last_trade_of_long_ago_lets_only_reductions_pass(simulator: AlpacaSimulator, tmp_path: Path) -> None:
    account = LiveAccount(plan_of(simulator, tmp_path, **AGES), watch=False)
    try:
        assert account.submit([order("first", Side.BUY)])[0].status.is_open
        account.sync()
        assert account.positions() == {"AAPL": 1}
    finally:
        account.close()
    old = datetime.now(UTC) - timedelta(minutes=20)
    simulator.price("AAPL", "100", time=old.isoformat())
    # Opened anew, it knows no younger price.
    account = LiveAccount(plan_of(simulator, tmp_path, **AGES), watch=False)
    try:
        account.sync()
        assert account.submit([order("adds", Side.BUY)])[0].rule == "stale_reference"
        assert account.submit([order("reduces", Side.SELL)])[0].status in (OrderStatus.ACCEPTED, OrderStatus.FILLED)
        simulator.price("AAPL", "101")
        account.sync()
        assert account.submit([order("again", Side.BUY)])[0].status in (OrderStatus.ACCEPTED, OrderStatus.FILLED)
    finally:
        account.close()


def test_limits_that_look_back_read_the_daily_bars_of_the_venue(simulator: AlpacaSimulator, tmp_path: Path) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # One day in ten loses a tenth, the next one wins it back; a million shares trade each day.
    for day in range(60):
        time, price = midnight - timedelta(days=60 - day), "90" if day % 10 == 0 else "100"
        simulator.price("AAPL", price, time=time.isoformat(), size="1000000")
    simulator.price("AAPL", "100", size="1000")
    limits = {"risk.max_var": "0.01", "risk.var_window": "40", "risk.max_volume_share": "0.00015"}
    account = LiveAccount(plan_of(simulator, tmp_path, **limits), watch=False)
    try:
        # A tenth of 100,000 may be held at a value at risk of a hundredth of it.
        assert account.submit([order("fits", Side.BUY, 100)])[0].status.is_open
        assert account.submit([order("beyond", Side.BUY, 10)])[0].rule == "portfolio_var"
        assert account.submit([order("flood", Side.BUY, 151)])[0].rule == "volume_share"
    finally:
        account.close()


def test_what_is_at_risk_is_known_without_a_limit_on_it(simulator: AlpacaSimulator, tmp_path: Path) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(60):
        time, price = midnight - timedelta(days=60 - day), "90" if day % 10 == 0 else "100"
        simulator.price("AAPL", price, time=time.isoformat(), size="1000000")
    simulator.price("AAPL", "100")
    account = LiveAccount(plan_of(simulator, tmp_path), watch=False)
    try:
        assert account.value_at_risk(0.95) == 0.0
        assert account.submit([order("held", Side.BUY, 100)])[0].status.is_open
        account.sync()
        tenth = 1000 / float(account.overview().equity)
        assert account.value_at_risk(0.95) == account.board(1).var == pytest.approx(tenth)
        assert account.value_at_risk(0.8) == 0.0
        assert account.value_at_risk(0.999) is None
    finally:
        account.close()


def test_the_tally_tells_the_tail_of_what_is_held_and_how_far_limits_are_used(
    simulator: AlpacaSimulator, tmp_path: Path
) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(60):
        time, price = midnight - timedelta(days=60 - day), "90" if day % 10 == 5 else "100"
        simulator.price("AAPL", price, time=time.isoformat(), size="1000000")
    simulator.price("AAPL", "100")
    account = LiveAccount(plan_of(simulator, tmp_path, **{"risk.var_confidence": "0.85"}), watch=False)
    try:
        assert account.tally().tail == Tail(0.0, 0.0, 0.85)
        assert account.submit([order("held", Side.BUY, 100)])[0].status.is_open
        account.sync()
        told, share = account.tally(), 10_000 / float(account.overview().equity)
        # Of 59 returns six lose a tenth: fewer than the tail of 0.15 * 59 has, the rest of which loses nothing.
        assert told.tail is not None
        assert told.tail.var == 0.0
        assert told.tail.shortfall == pytest.approx(share * 6 * 0.1 / (0.15 * 59))
        used = {usage.name: usage for usage in told.limits}
        assert used["max_gross_exposure"].value == pytest.approx(share)
        assert used["max_var"].value == 0.0
    finally:
        account.close()


def test_prices_of_every_symbol_are_quoted_whether_it_is_held_or_not(
    simulator: AlpacaSimulator, tmp_path: Path
) -> None:
    plan = plan_of(simulator, tmp_path)
    account = LiveAccount(SettingsPlan(plan.settings, "paper", ("AAPL", "MSFT")), watch=False)
    try:
        at = datetime.now(UTC).replace(microsecond=0)
        simulator.price("AAPL", "101.5", time=at.isoformat())
        simulator.price("MSFT", "302.25", time=at.isoformat())
        account.sync()
        quotes = account.quotes()
        assert {symbol: price.value for symbol, price in quotes.items()} == {
            "AAPL": Decimal("101.50"),
            "MSFT": Decimal("302.25"),
        }
        assert {price.time for price in quotes.values()} == {at}
        assert not account.positions()
    finally:
        account.close()


def test_what_is_bid_and_asked_is_told_with_its_sizes(simulator: AlpacaSimulator, tmp_path: Path) -> None:
    plan = plan_of(simulator, tmp_path)
    account = LiveAccount(SettingsPlan(plan.settings, "paper", ("AAPL", "MSFT")), watch=False)
    try:
        at = datetime.now(UTC).replace(microsecond=0)
        simulator.price("AAPL", "101.5", bid="101.47", ask="101.53", size="300", time=at.isoformat())
        simulator.price("MSFT", "302.25", time=at.isoformat())
        sides = (Decimal("101.47"), Decimal("101.53"))
        assert account.tops() == {
            "AAPL": Top(*sides, Decimal(300), Decimal(300), at),
            "MSFT": Top(Decimal("302.25"), Decimal("302.25"), Decimal(100), Decimal(100), at),
        }
    finally:
        account.close()


def test_a_side_that_nobody_quotes_is_empty_and_no_price_of_zero(
    simulator: AlpacaSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(2026, 1, 5, 15, tzinfo=UTC)
    quote = TopOfBook(at, bid=0.0, ask=0.1234, bid_size=0.0, ask_size=200.0)
    monkeypatch.setattr(AlpacaData, "latest_quotes", lambda *_: {"AAPL": quote})
    account = LiveAccount(plan_of(simulator, tmp_path), watch=False)
    try:
        assert account.tops() == {"AAPL": Top(None, Decimal("0.1234"), None, Decimal("200.0"), at)}
    finally:
        account.close()


def test_bars_of_the_last_minutes_are_those_that_are_complete(simulator: AlpacaSimulator, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=2)
    for second, price in enumerate(("100", "103", "99", "101")):
        simulator.price("AAPL", price, time=(minute + timedelta(seconds=second)).isoformat(), size="10")
    simulator.price("AAPL", "110", time=now.isoformat(), size="10")
    account = LiveAccount(plan_of(simulator, tmp_path), watch=False)
    try:
        (bar,) = [bar for bar in account.bars() if bar.time == minute + timedelta(minutes=1)]
        assert (bar.symbol, bar.values, bar.interval) == ("AAPL", (100.0, 103.0, 99.0, 101.0, 40.0), "1m")
        assert all(bar.time <= datetime.now(UTC) for bar in account.bars())
    finally:
        account.close()


def test_finished_bars_are_those_of_whole_days_and_say_whether_one_is_missing(
    simulator: AlpacaSimulator, tmp_path: Path
) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(9, 6, -1):
        simulator.price("AAPL", f"{100 - day}", time=(midnight - timedelta(days=day)).isoformat(), size="10")
    simulator.price("AAPL", "99")
    account = LiveAccount(plan_of(simulator, tmp_path), watch=False)
    try:
        late = account.finished_bars(["AAPL"], None)
        assert late.panel.closes[:, 0].tolist() == [91, 92, 93]
        assert late.newest == midnight - timedelta(days=6)
        assert late.is_late
        simulator.price("AAPL", "98", time=(midnight - timedelta(days=1)).isoformat(), size="10")
        bars = account.finished_bars(["AAPL"], midnight - timedelta(days=7))
        assert bars.panel.closes[:, 0].tolist() == [92, 93, 98]
        assert (bars.newest, bars.is_late, bars.stamp) == (midnight, False, f"{midnight:%Y%m%d}")
        # Read once a day: what comes later in the day changes no finished bar.
        assert account.finished_bars(["AAPL"], midnight - timedelta(days=7)) is bars
    finally:
        account.close()


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23T15:00Z", "2026-11-21"),
        ("2026-11-24T04:59Z", "2026-11-21"),
        ("2026-11-24T05:00Z", "2026-11-24"),
        ("2026-11-27T18:00Z", "2026-11-26"),
        ("2026-07-02T03:59Z", "2026-07-01"),
        ("2026-07-02T04:00Z", "2026-07-02"),
    ],
)
def test_a_bar_is_due_once_the_midnight_after_a_trading_day_has_passed(now: str, due: str) -> None:
    assert due_at(datetime.fromisoformat(now)) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_live_account_compares_itself_with_its_venue_after_the_close_and_keeps_what_it_found(
    simulator: AlpacaSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(simulator, tmp_path)
    day = [date(2026, 1, 5)]
    monkeypatch.setattr(daily_reconciliation, "day_due", lambda _: day[0])
    path = comparisons_of(plan.settings, "paper")
    account = LiveAccount(plan, Pace(sync_s=0.05))
    try:
        account.submit([order("one", Side.BUY)])
        assert kept_reconciliations(path) == []
        day[0] = date(2026, 1, 6)
        deadline = time.monotonic() + 30
        while not (kept := kept_reconciliations(path)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        account.close()
    assert [(line["day"], line["agrees"], line["orders"]) for line in kept] == [("2026-01-06", True, 1)]
