"""An account whose journal lies in a file, and one whose journal lies in Postgres: the same, also after a crash."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nt_ray.brokers.simulated.matching import Costs
from nt_ray.errors import FencedError, TradingError
from nt_ray.market.source import load_panel
from nt_ray.risk.gate import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader import checkpoint
from nt_ray.trader.replay_account import AccountPlan, ReplayAccount
from nt_ray.trading.actions import Charged, DividendPaid, SplitApplied
from nt_ray.trading.lots import LotMethod
from nt_ray.trading.orders import OrderRequest, Side

Place = Any
FIRST = 5_000
SYMBOLS = ("KO", "PEP")


@pytest.fixture(scope="module")
def panel() -> Any:
    return load_panel("sp500", symbols=list(SYMBOLS))


def plan_of(place: Place, folder: Path, method: LotMethod) -> AccountPlan:
    database = "" if place.kind == "sqlite" else place.url.rpartition("&schema=")[0]
    home = folder / (place.schema or "run")
    home.mkdir(exist_ok=True)
    return AccountPlan("east", home, Decimal(100_000), Costs(Decimal(2)), RiskLimits(), lots=method, database=database)


def order(row: int, symbol: str) -> OrderRequest:
    side = Side.BUY if row % 3 else Side.SELL
    return OrderRequest(f"s.{row}.{symbol}", symbol, side, Decimal(1 + row % 7), "momentum")


def drive(account: ReplayAccount, rows: range) -> None:
    for row in rows:
        account.advance(row)
        account.submit([order(row, symbol) for symbol in SYMBOLS])


def everything(account: ReplayAccount) -> Any:
    books = account._account._books
    return account.state(), account.fills(), account._account.balances(), {s: books.ledger.lots(s) for s in SYMBOLS}


@pytest.mark.parametrize("method", [LotMethod.AVERAGE, LotMethod.FIFO])
def test_an_account_that_died_goes_on_as_if_it_had_not(
    place: Place, tmp_path: Path, panel: Any, method: LotMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY", 50)
    whole_folder = tmp_path / "whole"
    whole_folder.mkdir()
    whole = ReplayAccount(
        AccountPlan("east", whole_folder, Decimal(100_000), Costs(Decimal(2)), RiskLimits(), lots=method), panel
    )
    drive(whole, range(FIRST, FIRST + 60))

    plan = plan_of(place, tmp_path, method)
    dead = ReplayAccount(plan, panel)
    drive(dead, range(FIRST, FIRST + 41))
    alive = ReplayAccount(plan, panel)
    drive(alive, range(FIRST + 40, FIRST + 60))
    assert everything(alive) == everything(whole)
    with pytest.raises(FencedError):
        dead.submit([order(FIRST + 70, "KO")])

    journal = open_journal(plan.journal, create=False)
    assert journal.verify().fault is None
    kept = journal.snapshot()
    assert kept is not None
    assert kept.seq > 50
    journal.close()
    for account in (whole, dead, alive):
        account.close()


def test_dividends_and_splits_are_booked_once_and_survive(place: Place, tmp_path: Path, panel: Any) -> None:
    plan = plan_of(place, tmp_path, LotMethod.FIFO)
    replayed = ReplayAccount(plan, panel)
    account = replayed._account
    for row in (FIRST, FIRST + 1):
        replayed.advance(row)
        replayed.submit([OrderRequest(f"s.{row}", "KO", Side.BUY, Decimal(10), "momentum")])
    replayed.advance(FIRST + 2)
    now = replayed._clock()
    before = account.state()
    split = SplitApplied(now, "split-1", "KO", 3, 2, Decimal(30), Decimal(0))
    actions = [DividendPaid(now, "div-1", "KO", Decimal("4.60")), split, Charged(now, "fee-1", "fees", Decimal("0.60"))]
    for action in [*actions, *actions]:
        account.act(action)
    assert account.state().cash == before.cash + 4
    assert [lot.quantity for lot in account.lots("KO")] == [15, 15]
    with pytest.raises(TradingError, match="cannot become"):
        account.act(DividendPaid(now + timedelta(days=1), "div-1", "KO", Decimal(9)))
    with pytest.raises(TradingError, match="not held"):
        account.act(SplitApplied(now, "split-2", "PEP", 2, 1, Decimal(2), Decimal(0)))
    told = everything(replayed)
    again = ReplayAccount(plan, panel)
    assert [lot.quantity for lot in again._account.lots("KO")] == [15, 15]
    assert everything(again)[2:] == told[2:]
    replayed.close()
    again.close()


def test_an_order_closes_the_lots_that_it_names(sqlite_place: Place, tmp_path: Path, panel: Any) -> None:
    replayed = ReplayAccount(plan_of(sqlite_place, tmp_path, LotMethod.SPECIFIC), panel)
    account = replayed._account
    for row in range(FIRST, FIRST + 3):
        replayed.advance(row)
        replayed.submit([OrderRequest(f"s.{row}", "KO", Side.BUY, Decimal(10), "momentum")])
    replayed.advance(FIRST + 3)
    first, second, third = (lot.lot_id for lot in account.lots("KO"))
    replayed.submit([OrderRequest("s.sell", "KO", Side.SELL, Decimal(15), "momentum")])
    account.name_lots("s.sell", "KO", [second])
    with pytest.raises(TradingError, match="no open lot"):
        account.name_lots("s.sell", "KO", ["never"])
    replayed.advance(FIRST + 4)
    account.name_lots("s.sell", "KO", [first])
    assert [(lot.lot_id, lot.quantity) for lot in account.lots("KO")] == [(first, 5), (third, 10)]
    replayed.close()
