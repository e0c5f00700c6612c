"""The keeper of live sessions: what it refuses, in which order one session follows another, and what outlives it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.config import Settings, load_settings
from nt_ray.errors import BadInputError, ServiceError, StrategyError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.trader.account import AccountState, OrderReport
from nt_ray.trader.finished_bars import FewBarsError, FinishedBars, finished
from nt_ray.trader.live_readings import OrderQuery
from nt_ray.trader.live_session import Condition
from nt_ray.trader.session_keeper import SessionKeeper, SessionRequest, plain_status
from nt_ray.trader.session_store import Phase, SessionOverlapError, SessionStore, UnknownSessionError
from nt_ray.trading.orders import OrderRequest, OrderStatus

DAY = 86_400_000_000_000
SYMBOLS = ("AAA", "BBB")
NOW = datetime(2020, 1, 1, tzinfo=UTC)
FAST = {"lookback": 5.0}


def rising(days: int) -> BarPanel:
    """Two symbols that rise by a hundredth a day, with a wobble that gives them a volatility."""
    steps = 1.01 + 0.002 * np.sin(np.arange(days))
    closes = np.cumprod(steps)[:, None] * np.array([100.0, 50.0])
    values = np.repeat(closes[:, :, None], 5, axis=2)
    stamps = (np.arange(days, dtype=np.int64) + 18_000) * DAY
    return BarPanel(tuple(Instrument(symbol) for symbol in SYMBOLS), stamps, np.ascontiguousarray(values))


@dataclass
class Overview:
    instruments: tuple[Instrument, ...]


@dataclass
class Account:
    """Fills whatever it is sent, and notes what was asked in which order."""

    days: int = 60
    away: bool = False
    halts: dict[str, str] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)
    reports: dict[str, OrderReport] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def overview(self) -> Any:
        return Overview(rising(2).instruments)

    def finished_bars(self, symbols: Sequence[str], since: datetime | None) -> FinishedBars:
        if self.away:
            raise ServiceError("It is away. Wait.")
        panel = rising(self.days).select(list(symbols))
        return finished(panel, panel.time(-1), since)

    def sync(self) -> AccountState:
        money = Decimal(100_000)
        return AccountState(
            "paper", NOW, money, money, money, Decimal(0), Decimal(0), dict(self.positions), 0, (), 0, 0, {}, (),
            self.halts, money, money,
        )  # fmt: skip

    def query(self, query: OrderQuery) -> list[Any]:
        return []

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        for request in requests:
            if request.client_order_id not in self.reports:
                self.asked.append(request.client_order_id)
                self.reports[request.client_order_id] = OrderReport(request, OrderStatus.FILLED, request.quantity)
                signed = request.quantity * request.side.sign
                held = self.positions.pop(request.symbol, Decimal(0)) + signed
                self.positions |= {request.symbol: held} if held else {}
        return [self.reports[request.client_order_id] for request in requests]

    def cancel(self, client_order_id: str) -> OrderReport:
        return self.reports[client_order_id]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(None, {"state": str(tmp_path), "swarm.group_size": "2"}, environ={})


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    opened = SessionStore(tmp_path / "sessions.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def keeper(settings: Settings, store: SessionStore, account: Account) -> SessionKeeper:
    return SessionKeeper(settings, store, lambda name: account)


def request(strategy: str = "momentum", symbols: tuple[str, ...] = (), **parameters: float) -> SessionRequest:
    return SessionRequest("paper", strategy, symbols, parameters or dict(FAST))


def test_a_session_trades_at_once_and_on_each_new_bar(keeper: SessionKeeper, account: Account) -> None:
    told = keeper.start(request(), "ann", "trial")
    assert (told.condition, told.session.plan.symbols) == (Condition.TRADED, SYMBOLS)
    assert account.asked == ["momentum-1.20190612.0", "momentum-1.20190612.1"]
    account.days += 1
    account.positions.clear()
    for _ in range(3):
        keeper.step("momentum-1")
    assert account.asked[2:] == ["momentum-1.20190613.0", "momentum-1.20190613.1"]


def test_whoever_opens_the_file_again_goes_on_with_the_same_sessions(
    keeper: SessionKeeper, settings: Settings, tmp_path: Path, account: Account
) -> None:
    keeper.start(request(), "ann", "trial")
    before = list(account.asked)
    again = SessionStore(tmp_path / "sessions.sqlite")
    other = SessionKeeper(settings, again, lambda name: account)
    other.step("momentum-1")
    assert account.asked == before
    assert plain_status(other.statuses("paper")[0])["orders"] == plain_status(keeper.statuses()[0])["orders"]
    assert other.statuses("elsewhere") == []
    other.stop("momentum-1")
    keeper.step("momentum-1")
    assert keeper.running() == other.running() == []
    again.close()


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (request("momentun"), StrategyError),
        (request("momentum", nonsense=1.0), StrategyError),
        (request("momentum", lookback=-1.0), StrategyError),
        (request("market_making"), StrategyError),
        (request("neural_forecast", horizon=1.0), StrategyError),
        (request("momentum", ("CCC",)), BadInputError),
    ],
)
def test_what_cannot_be_traded_is_refused_before_anything_is_kept(
    keeper: SessionKeeper, store: SessionStore, account: Account, asked: SessionRequest, error: type[Exception]
) -> None:
    with pytest.raises(error):
        keeper.start(asked, "ann", "trial")
    assert store.sessions(ended=True) == []
    assert account.asked == []


def test_an_account_that_is_away_or_has_no_past_begins_nothing(
    keeper: SessionKeeper, store: SessionStore, account: Account
) -> None:
    account.away = True
    with pytest.raises(ServiceError, match="away"):
        keeper.start(request(), "ann", "trial")
    account.away, account.days = False, 1
    with pytest.raises(FewBarsError, match="1 finished bars"):
        keeper.start(request(), "ann", "trial")
    assert store.sessions(ended=True) == []


def test_symbols_that_are_traded_already_are_refused_and_others_are_not(keeper: SessionKeeper) -> None:
    keeper.start(request(symbols=("AAA",)), "ann", "trial")
    with pytest.raises(SessionOverlapError, match="momentum-1 trades AAA"):
        keeper.start(request("sma_cross", fast=2.0, slow=5.0), "ann", "trial")
    assert keeper.start(request(symbols=("BBB",)), "ann", "trial").session.id == "momentum-2"


def test_the_configured_swarm_trades_under_its_own_name(keeper: SessionKeeper, account: Account) -> None:
    told = keeper.start(SessionRequest("paper"), "ann", "trial")
    assert told.session.id == "swarm-1"
    assert {report.request.strategy for report in account.reports.values()} <= {"swarm"}


def test_a_session_that_is_stopped_keeps_positions_and_one_that_is_flattened_does_not(
    keeper: SessionKeeper, account: Account, store: SessionStore
) -> None:
    keeper.start(request(), "ann", "trial")
    assert keeper.stop("momentum-1").session.phase is Phase.ENDED
    held = dict(account.positions)
    assert set(held) == set(SYMBOLS)
    account.days += 1
    second = keeper.start(request(), "ann", "trial").session.id
    told = keeper.stop(second, flatten=True)
    assert (told.condition, account.positions) == (Condition.ENDED, {})
    assert [name for name in account.asked if "close" in name] == [f"{second}.close.0", f"{second}.close.1"]
    assert not store.sessions()
    assert not keeper.running()
    with pytest.raises(UnknownSessionError, match="momentum-9"):
        keeper.stop("momentum-9")


def test_closing_goes_on_when_the_account_is_back(keeper: SessionKeeper, account: Account) -> None:
    keeper.start(request(), "ann", "trial")
    submit, account.submit = account.submit, _away  # type: ignore[method-assign]
    assert keeper.stop("momentum-1", flatten=True).condition is Condition.FAILED
    assert keeper.running() == ["momentum-1"]
    account.submit = submit  # type: ignore[method-assign]
    keeper.step("momentum-1")
    assert (account.positions, keeper.running()) == ({}, [])


def test_a_switch_ends_the_first_before_the_second_begins(
    keeper: SessionKeeper, account: Account, store: SessionStore
) -> None:
    keeper.start(request(symbols=("AAA",)), "ann", "trial")
    account.days += 1
    told = keeper.switch(request("sma_cross", fast=2.0, slow=5.0), "momentum", "ann", "better")
    assert told.session.plan.symbols == ("AAA",)
    assert [kept.id for kept in store.sessions()] == keeper.running() == ["sma_cross-2"]
    before = list(account.asked)
    keeper.step("momentum-1")
    assert account.asked == before


def test_a_switch_that_cannot_be_made_leaves_the_first_in_its_place(keeper: SessionKeeper, account: Account) -> None:
    keeper.start(request(), "ann", "trial")
    with pytest.raises(StrategyError):
        keeper.switch(request("sma_cross", nonsense=1.0), "momentum", "ann", "better")
    with pytest.raises(StrategyError):
        keeper.check(request("sma_cross", nonsense=1.0))
    # Of what trades on beside it no symbol is taken.
    with pytest.raises(SessionOverlapError):
        keeper.switch(request("sma_cross", fast=2.0, slow=5.0), "pairs", "ann", "better")
    assert keeper.running() == ["momentum-1"]


def _away(requests: Sequence[OrderRequest]) -> list[OrderReport]:
    raise ServiceError("It is away. Wait.")
