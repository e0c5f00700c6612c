"""A live session sends the orders of a replay of the same bars, whatever happens to it in between."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nt_ray.brokers.base import AmbiguousError, VenueDownError
from nt_ray.brokers.one_at_a_time import OneAtATime
from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, Costs
from nt_ray.config import Settings, load_settings
from nt_ray.market.bars import BarPanel
from nt_ray.market.source import load_panel
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.swarm.messages import AgentSpec
from nt_ray.trader.account import Account
from nt_ray.trader.assembly import build_roster, build_swarm, single_agent
from nt_ray.trader.circuit import Switchboard
from nt_ray.trader.desk import InProcessDesk
from nt_ray.trader.event_stream import Channel, News
from nt_ray.trader.finished_bars import FinishedBars, rows_of
from nt_ray.trader.live_account import LiveAccount
from nt_ray.trader.live_plan import Clock, OpenedVenue, finished_at
from nt_ray.trader.live_readings import UntradedSymbolsError
from nt_ray.trader.live_session import Condition, LiveSession
from nt_ray.trader.live_swarm import LiveSwarm
from nt_ray.trader.planning import allocator_of, routing_table, sizing_params
from nt_ray.trader.price import Price
from nt_ray.trader.replay_account import AccountPlan, last_known_closes
from nt_ray.trader.runtime import InProcessRuntime
from nt_ray.trader.session import Session
from nt_ray.trader.session_store import KeptSession, Phase, SessionOverlapError, SessionPlan, SessionStore
from nt_ray.trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

CASH = Decimal(100_000)
FIRST = 150
SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
COSTS = Costs(commission_bps=Decimal(1))
LIMITS = RiskLimits(
    max_order_notional=Decimal(10**9), max_position_notional=Decimal(10**9), max_concentration=20.0,
    max_gross_exposure=20.0, max_net_exposure=20.0, max_daily_loss=1.0, max_drawdown=1.0,
)  # fmt: skip
SWARM = {
    "strategies.enabled": ["momentum", "mean_reversion", "pairs"],
    "strategies.variants": {"momentum": [{"lookback": 21}], "mean_reversion": [{}], "pairs": [{"lookback": 63}]},
    "swarm.group_size": "4",
}


@pytest.fixture(scope="module")
def panel() -> BarPanel:
    found = load_panel("stocks", symbols=SYMBOLS)
    return found.between(found.time(1290), found.time(1490))


def settings_of(folder: Path, **more: Any) -> Settings:
    values = {"state": str(folder), "brokers.enabled": ["sim-east"], **more}
    return load_settings(None, values, environ={})


class Floor:
    """A simulated exchange that the test moves from bar to bar, and the way to an account at it."""

    name = "paper"
    moves = False

    def __init__(self, panel: BarPanel, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.panel, self._folder = panel, folder
        self.exchange = SimulatedExchange("paper", panel, COSTS, folder / "venue.sqlite")
        self.closes = last_known_closes(panel)
        self.due: datetime | None = None

    def clock(self) -> datetime:
        return self.panel.time(self.exchange.cursor)

    def open(self, clock: Clock) -> OpenedVenue:
        broker = OneAtATime(self.exchange)
        journal = open_journal(self._folder / "journal.sqlite")
        account = Account("paper", journal, broker, LIMITS, self.panel.instruments, clock, shared=True)
        account.deposit(CASH)

        def prices() -> dict[str, Price]:
            broker.ping()
            row = zip(self.panel.instruments, self.closes[self.exchange.cursor].tolist(), strict=True)
            return {i.symbol: Price(i.price(ticks), clock()) for i, ticks in row if ticks != UNKNOWN_PRICE}

        return OpenedVenue(account, broker, prices, lambda: None, finished=self.finished)

    def finished(self, symbols: Sequence[str], since: datetime | None) -> FinishedBars:
        bars = finished_at(self.panel, self.exchange.cursor, symbols, since)
        return FinishedBars(bars.panel, self.due or bars.due)


class KilledError(BaseException):
    """The process ends here."""


@dataclass
class Watched:
    """An account as a session sees it; the test may end the process at a step, and holds back what it likes."""

    account: LiveAccount
    dies: str = ""
    sent: list[OrderRequest] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.account, name)

    def sync(self) -> Any:
        state = self.account.sync()
        if self.dies == "before deciding":
            raise KilledError
        return state

    def submit(self, requests: Sequence[OrderRequest]) -> Any:
        if self.dies == "before sending":
            raise KilledError
        if self.dies == "after half":
            self.account.submit(requests[: len(requests) // 2])
            raise KilledError
        reports = self.account.submit(requests)
        if self.dies == "after sending":
            raise KilledError
        self.sent += [r for r in requests if r not in self.sent]
        return reports


@dataclass
class Place:
    """One account at one floor, and sessions at it that begin anew from their file."""

    settings: Settings
    floor: Floor
    account: LiveAccount
    store: SessionStore
    told: list[News] = field(default_factory=list)

    def session(self, kept: KeptSession, dies: str = "") -> LiveSession:
        account = Watched(self.account, dies)
        return LiveSession(kept, self.settings, account, self.store, self.told.extend, self.floor.clock)

    def begin(self, strategy: str, symbols: Sequence[str] = SYMBOLS, **parameters: float) -> KeptSession:
        plan = SessionPlan("paper", strategy, tuple(symbols), parameters)
        return self.store.begin(plan, "ann", "drill", datetime.now(UTC))


Open = Callable[..., Place]


@pytest.fixture
def place(tmp_path: Path, panel: BarPanel) -> Any:
    opened: list[Place] = []

    def make(**more: Any) -> Place:
        floor = Floor(panel, tmp_path / f"floor{len(opened)}")
        floor.exchange.advance(FIRST)
        account = LiveAccount(floor, clock=floor.clock, watch=False)
        store = SessionStore(tmp_path / f"sessions{len(opened)}.sqlite")
        opened.append(Place(settings_of(tmp_path, **more), floor, account, store))
        return opened[-1]

    yield make
    for made in opened:
        made.account.close()
        made.store.close()
        made.floor.exchange.close()


def replayed(panel: BarPanel, settings: Settings, specs: tuple[AgentSpec, ...], folder: Path) -> list[tuple[Any, ...]]:
    """Orders of a replay that begins to trade where the live session does: (row, column, symbol, side, quantity)."""
    folder.mkdir()
    transport = InProcessRuntime().transport("replay", panel, specs, 1)
    swarm = build_swarm(settings, panel, specs, transport, settings.swarm.topology)
    plan = AccountPlan("sim-east", folder, CASH, COSTS, LIMITS)
    desk = InProcessDesk([plan], panel)
    sent: list[OrderRequest] = []

    class Late:
        """Its swarm, which holds everything before the first bar of the live session."""

        def prefetch(self, start: int, stop: int) -> None:
            swarm.prefetch(start, stop)

        def decide(self, start: int, stop: int) -> Any:
            decision = swarm.decide(start, stop)
            early = np.arange(start, stop) < FIRST
            decision.exposures[early] = np.nan
            return decision

    class Noted:
        def __getattr__(self, name: str) -> Any:
            return getattr(desk, name)

        def submit(self, orders: Any) -> Any:
            for requests in orders.values():
                sent.extend(requests)
            return desk.submit(orders)

    session = Session(
        "replay", panel, Late(), Noted(), Switchboard(routing_table(settings)),
        sizing_params(settings, allocated=True), allocator=allocator_of(settings, panel),
    )  # fmt: skip
    try:
        session.run()
    finally:
        desk.close()
    return [(*map(int, r.client_order_id.split(".")[1:3]), r.symbol, r.side, r.quantity) for r in sent]


def row_of(panel: BarPanel) -> dict[str, int]:
    return {f"{panel.time(row):%Y%m%d}": row for row in range(len(panel))}


def live(place: Place, kept: KeptSession, deaths: Callable[[int], str]) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Orders of a live session, walked over the same bars, and ends of the process that were met."""
    panel, met = place.floor.panel, []
    session = place.session(kept)
    for row in range(FIRST, len(panel) - 1):
        place.floor.exchange.advance(row)
        dies = deaths(row)
        if dies:
            try:
                place.session(kept, dies).step()
            except KilledError:
                met.append(dies)
            session = place.session(kept)
        for _ in range(2):
            status = session.step()
            assert status.condition is Condition.TRADED, status
    rows = row_of(panel)
    orders = [order.request for order in place.account.orders()]
    assert {request.strategy for request in orders} == {kept.plan.signature}
    named = [(request.client_order_id.split("."), request) for request in orders]
    assert all(parts[0] == kept.id for parts, _ in named)
    return [(rows[parts[1]], int(parts[2]), r.symbol, r.side, r.quantity) for parts, r in named], met


DEATHS = ("before deciding", "before sending", "after half", "after sending")
CASES: tuple[tuple[str, dict[str, float]], ...] = (
    ("momentum", {"lookback": 21.0}),
    ("mean_reversion", {"window": 5.0, "entry": 1.0}),
    ("", {}),
)


@pytest.mark.parametrize(("strategy", "parameters"), CASES)
@pytest.mark.parametrize("killed", [False, True])
def test_a_live_session_sends_the_orders_of_a_replay(
    place: Open, panel: BarPanel, tmp_path: Path, strategy: str, parameters: dict[str, float], killed: bool
) -> None:
    here = place(**SWARM)
    specs = single_agent(panel, strategy, parameters) if strategy else build_roster(here.settings, panel)
    assert len(specs) == (1 if strategy else 3)
    expected = replayed(panel, here.settings, specs, tmp_path / "replay")
    assert len(expected) > 10
    found, met = live(
        here, here.begin(strategy, SYMBOLS, **parameters), lambda row: DEATHS[row % len(DEATHS)] if killed else ""
    )
    assert found == expected
    assert not killed or set(met) == set(DEATHS)


@pytest.mark.parametrize("rule", ["hedge", "median"])
def test_rules_that_learn_and_allocations_decide_as_in_a_replay(
    place: Open, panel: BarPanel, tmp_path: Path, rule: str
) -> None:
    here = place(**SWARM, **{"swarm.rule": rule, "portfolio.allocation.method": "risk_parity"})
    expected = replayed(panel, here.settings, build_roster(here.settings, panel), tmp_path / "replay")
    assert expected
    assert live(here, here.begin(""), lambda row: DEATHS[row % 4] if row % 5 == 0 else "")[0] == expected


def test_who_begins_on_a_bar_again_sends_nothing_twice(place: Open) -> None:
    here = place()
    kept = here.begin("momentum", lookback=21.0)
    here.session(kept).step()
    before = [order.request for order in here.account.orders()]
    assert before
    for _ in range(3):
        assert here.session(kept).step().condition is Condition.TRADED
    assert [order.request for order in here.account.orders()] == before


def test_a_bar_that_is_late_is_named_and_nothing_is_traded(place: Open) -> None:
    here = place()
    session = here.session(here.begin("momentum", lookback=21.0))
    here.floor.due = here.floor.clock() + timedelta(days=1)
    told = session.step()
    assert told.condition is Condition.LATE
    assert here.floor.clock().date().isoformat() in told.sentence
    assert not here.account.orders()
    here.floor.due = None
    assert session.step().condition is Condition.TRADED


@pytest.mark.parametrize("scope", ["account", "strategy:momentum", "strategy:Momentum", "venue:paper"])
def test_a_kill_switch_holds_the_bar_until_it_is_lifted(place: Open, scope: str) -> None:
    here = place()
    session = here.session(here.begin("momentum", lookback=21.0))
    here.account.halt(scope, "ann", "drill")
    told = session.step()
    assert told.condition is Condition.HALTED
    assert scope in told.sentence
    assert not here.account.orders()
    here.account.resume(scope, "ann", "drill is over")
    assert session.step().condition is Condition.TRADED
    assert here.account.orders()


def test_a_switch_of_another_strategy_is_none_of_its_business(place: Open) -> None:
    here = place()
    here.account.halt("strategy:pairs", "ann", "drill")
    assert here.session(here.begin("momentum", lookback=21.0)).step().condition is Condition.TRADED


def test_denied_orders_are_named_with_their_rule(place: Open) -> None:
    here = place()
    here.account.change_limits({"restricted": {"AAPL", "GOOG", "IBM", "MSFT"}}, "ann", "drill")
    told = here.session(here.begin("momentum", lookback=21.0)).step()
    assert told.outcomes
    assert {(outcome["status"], outcome["rule"]) for outcome in told.outcomes} == {("denied", "restricted")}
    assert "restricted list" in told.sentence


def test_a_venue_that_is_away_is_named_and_the_bar_is_traded_when_it_is_back(place: Open) -> None:
    here = place()
    session = here.session(here.begin("momentum", lookback=21.0))
    here.floor.exchange.fail(True)
    told = session.step()
    assert told.condition is Condition.FAILED
    assert told.sentence
    here.floor.exchange.fail(False)
    assert session.step().condition is Condition.TRADED
    assert all(order.status.is_open for order in here.account.orders())


def test_an_order_that_certainly_was_not_sent_is_made_anew_under_the_next_number(
    place: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place()
    session = here.session(here.begin("momentum", lookback=21.0))
    submit = here.floor.exchange.submit_order

    def down(request: OrderRequest) -> Any:
        raise VenueDownError("The line is cut. Wait.")

    monkeypatch.setattr(here.floor.exchange, "submit_order", down)
    first = session.step()
    assert {outcome["status"] for outcome in first.outcomes} == {"rejected"}
    monkeypatch.setattr(here.floor.exchange, "submit_order", submit)
    second = session.step()
    assert [o["client_order_id"] for o in second.outcomes] == [o["client_order_id"] + ".1" for o in first.outcomes]
    assert {o["status"] for o in second.outcomes} == {"accepted"}
    here.session(second.session).step()
    assert len(here.account.orders()) == 2 * len(first.outcomes)


def test_while_an_outcome_is_unknown_nothing_new_is_sent(place: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here = place()
    session = here.session(here.begin("momentum", lookback=21.0))
    submit = here.floor.exchange.submit_order

    def silent(request: OrderRequest) -> Any:
        submit(request)
        raise AmbiguousError("No answer came. Ask for the order.")

    monkeypatch.setattr(here.floor.exchange, "submit_order", silent)
    assert session.step().condition is Condition.IN_DOUBT
    sent = [order.request for order in here.account.orders()]
    assert session.step().condition is Condition.IN_DOUBT
    here.account.sync()
    assert session.step().condition is Condition.TRADED
    assert [order.request for order in here.account.orders()] == sent


def test_a_past_that_is_written_anew_is_decided_anew(place: Open) -> None:
    here = place()
    swarm = LiveSwarm(here.settings, "momentum", {"lookback": 21.0})
    panel = here.floor.panel
    swarm.exposures(rows_of(panel, 0, FIRST))
    halved = replace(rows_of(panel, 0, FIRST + 1), values=panel.values[: FIRST + 1] / 2)
    fresh = LiveSwarm(here.settings, "momentum", {"lookback": 21.0})
    np.testing.assert_array_equal(swarm.exposures(halved), fresh.exposures(halved))
    np.testing.assert_array_equal(swarm.exposures(panel), fresh.exposures(panel))


def test_what_was_decided_is_told_agent_by_agent(place: Open) -> None:
    here = place(**SWARM)
    here.session(here.begin("")).step()
    decided = [news for news in here.told if news.channel is Channel.DECISIONS]
    assert {news.symbol for news in decided} == set(SYMBOLS)
    assert {json.loads(news.data)["source"] for news in decided} == {"paper"}
    assert {len(json.loads(news.data)["agents"]) for news in decided} == {3}
    # Whoever may not see the account is not told of it.
    assert {(news.channel, news.account) for news in here.told} == {(Channel.DECISIONS, "paper")}


def test_of_two_sessions_with_one_symbol_the_second_is_refused(place: Open) -> None:
    here = place()
    first = here.begin("momentum", ["AAPL", "IBM"])
    with pytest.raises(SessionOverlapError, match=f"{first.id} trades IBM of paper"):
        here.begin("pairs", ["IBM", "MSFT"])
    second = here.begin("pairs", ["GOOG", "MSFT"])
    assert [kept.id for kept in here.store.sessions()] == [first.id, second.id] == ["momentum-1", "pairs-2"]
    here.store.turn(first.id, Phase.ENDED, datetime.now(UTC))
    assert here.begin("momentum", ["AAPL"]).id == "momentum-3"


def test_a_session_that_closes_sells_what_it_holds_once_whatever_dies(place: Open) -> None:
    here = place()
    kept = here.begin("momentum", lookback=21.0)
    here.session(kept).step()
    here.floor.exchange.advance(FIRST + 1)
    held = here.account.sync().positions
    assert held
    here.store.turn(kept.id, Phase.CLOSING, datetime.now(UTC))
    here.account.halt("strategy:momentum", "ann", "stopped")
    for dies in DEATHS[1:]:
        with pytest.raises(KilledError):
            here.session(kept, dies).step()
    told = here.session(kept).step()
    assert told.condition is Condition.ENDED
    here.floor.exchange.advance(FIRST + 2)
    assert here.account.sync().positions == {}
    sold = [order.request for order in here.account.orders() if order.request.strategy == "momentum.closing"]
    assert {request.symbol: request.quantity for request in sold} == held
    assert {request.side for request in sold} == {Side.SELL}
    assert here.session(kept).step().condition is Condition.ENDED


def test_a_strategy_that_needs_what_bars_do_not_have_says_so(place: Open) -> None:
    here = place()
    told = here.session(here.begin("neural_forecast")).step()
    assert told.condition is Condition.FAILED
    assert "forecast" in told.sentence


def test_an_account_gives_bars_of_what_it_trades_alone(place: Open) -> None:
    here = place()
    with pytest.raises(UntradedSymbolsError, match="TSLA"):
        here.account.finished_bars(["TSLA"], None)
    since = here.floor.panel.time(100)
    bars = here.account.finished_bars(["IBM"], since)
    assert (bars.panel.time(0), bars.newest, bars.is_late) == (since, here.floor.clock(), False)


def test_orders_that_were_decided_and_not_sent_are_given_up_when_the_next_bar_is_there(place: Open) -> None:
    here = place()
    kept = here.begin("momentum", lookback=21.0)
    with pytest.raises(KilledError):
        here.session(kept, "before sending").step()
    given_up = here.store.newest(kept.id)
    assert given_up is not None
    assert given_up.orders
    here.floor.exchange.advance(FIRST + 1)
    assert here.session(kept).step().condition is Condition.TRADED
    sent = {order.request.client_order_id.split(".")[1] for order in here.account.orders()}
    assert sent == {f"{here.floor.clock():%Y%m%d}"}


def test_what_a_session_has_open_is_cancelled_before_it_decides_anew_and_other_orders_are_not(place: Open) -> None:
    here = place()
    kept = here.begin("momentum", lookback=21.0)
    limit: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": Decimal(60), "time_in_force": TimeInForce.GTC}
    rests = [
        OrderRequest(name, "IBM", Side.BUY, Decimal(1), "momentum", **limit)
        for name in (f"{kept.id}.20000101.2", "by-hand", "momentum-12.20000101.2")
    ]
    here.account.submit(rests)
    assert here.session(kept).step().condition is Condition.TRADED
    found = [here.account.order(request.client_order_id).status for request in rests]
    assert found == [OrderStatus.CANCELED, OrderStatus.ACCEPTED, OrderStatus.ACCEPTED]


@pytest.mark.parametrize("rule", ["mean", "hedge"])
def test_the_same_bar_is_decided_alike_however_often_it_is_asked_for(place: Open, rule: str) -> None:
    here = place(**SWARM, **{"swarm.rule": rule})
    swarm, panel = LiveSwarm(here.settings), here.floor.panel
    for row in range(FIRST, FIRST + 5):
        first = swarm.exposures(rows_of(panel, 0, row + 1))
        np.testing.assert_array_equal(swarm.exposures(rows_of(panel, 0, row + 1)), first)
        np.testing.assert_array_equal(LiveSwarm(here.settings).exposures(rows_of(panel, 0, row + 1)), first)
