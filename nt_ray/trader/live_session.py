"""A live session: one live account, traded by what a swarm of agents decides on each finished bar.

On each new bar: the account is asked how it stands, what sessions still have open in these symbols is cancelled, the
agents decide, and the differences to the account's positions become market orders, sized as a replay sizes them
(`nt_ray.trader.targets`). They are on disk before the first is sent, under ids that derive from (session, bar, column),
so that after a crash at any instant the same orders are sent again, which the account knows by their ids, and no
others. Of an order that certainly was not sent another one is made, under the next number.

Nothing is traded on bars that are late, while trading is stopped, or while the outcome of an earlier order is unknown;
the status says which. It keeps no truth: positions and money are the account's, orders and phases the store's.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Protocol

import numpy as np

from nt_ray.config import Settings
from nt_ray.errors import NeuralTraderError
from nt_ray.market.bars import BarPanel
from nt_ray.strategies.registry import plain
from nt_ray.trader.account import AccountState, OrderReport
from nt_ray.trader.broadcast import Publish
from nt_ray.trader.finished_bars import FinishedBars
from nt_ray.trader.history import Family
from nt_ray.trader.live_readings import OrderQuery
from nt_ray.trader.live_swarm import LiveSwarm
from nt_ray.trader.planning import allocator_of, sizing_params
from nt_ray.trader.session_store import KeptSession, Phase, Round, SessionStore
from nt_ray.trader.targets import Targets
from nt_ray.trading.orders import OrderRequest, OrderStatus, Side
from nt_ray.types import IntArray

ATTEMPTS: Final = 5
"""How often an order is made anew that certainly was not sent."""
CLOSE: Final = "close"
"""Stands in the place of the bar in ids of orders that close what a session holds."""
MOST_ORDERS: Final = 10_000


class TradedAccount(Protocol):
    """What a session asks of its account; `nt_ray.trader.live_account.LiveAccount` answers it."""

    def finished_bars(self, symbols: Sequence[str], since: datetime | None) -> FinishedBars:
        """Finished bars of these symbols."""
        ...

    def sync(self) -> AccountState:
        """Ask the venue and return the account as it stands."""
        ...

    def query(self, query: OrderQuery) -> list[Family]:
        """List orders."""
        ...

    def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue."""
        ...

    def cancel(self, client_order_id: str) -> OrderReport:
        """Ask the venue to cancel an order."""
        ...


class Condition(StrEnum):
    """What became of the last look."""

    BEGINNING = "beginning"
    TRADED = "traded"
    LATE = "late"
    HALTED = "halted"
    IN_DOUBT = "in_doubt"
    FAILED = "failed"
    CLOSING = "closing"
    ENDED = "ended"


TROUBLED: Final = frozenset({Condition.LATE, Condition.IN_DOUBT, Condition.FAILED})
"""Conditions in which a session does not trade though nobody has stopped it."""


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A session at a glance. `outcomes` are the orders of the last bar, as they were last heard of."""

    session: KeptSession
    condition: Condition
    sentence: str
    stamp: str = ""
    looked_at: datetime | None = None
    outcomes: tuple[Mapping[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    """Symbols without a price at the last bar: what is held of them stays."""


class LiveSession:
    """One session that is not over."""

    def __init__(
        self,
        kept: KeptSession,
        settings: Settings,
        account: TradedAccount,
        store: SessionStore,
        publish: Publish | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.id = kept.id
        self._plan = kept.plan
        self._settings = settings
        self._account = account
        self._store = store
        self._publish = publish
        self._clock = clock
        self._swarm = LiveSwarm(settings, kept.plan.strategy, kept.plan.parameters)
        self._lock = threading.Lock()
        self.status = SessionStatus(kept, Condition.BEGINNING, "It has not looked yet.")

    def step(self) -> SessionStatus:
        """Look for a new bar, and trade it; whatever fails is named in the status, and tried again at the next step."""
        with self._lock:
            try:
                self.status = self._step()
            except NeuralTraderError as error:
                self.status = replace(
                    self.status, condition=Condition.FAILED, sentence=str(error), looked_at=self._clock()
                )
            return self.status

    def end(self, phase: Phase) -> SessionStatus:
        """Trade no more bars: close what is held and then end, or end at once and cancel what is open."""
        with self._lock:
            kept = self._store.turn(self.id, phase, self._clock())
            self.status = replace(self.status, session=kept)
            if kept.phase is Phase.ENDED:
                try:
                    left = self._cleared()
                    sentence = f"{', '.join(left)} may still trade." if left else "It is over."
                except NeuralTraderError as error:
                    sentence = f"What it has open was not cancelled: {error}"
                self.status = self._told(Condition.ENDED, sentence, self._store.newest(self.id))
                return self.status
        return self.step()

    def _step(self) -> SessionStatus:
        kept = self._store.find(self.id)
        if kept.phase is Phase.ENDED:
            return self._told(Condition.ENDED, "It is over.", self._store.newest(self.id))
        if kept.phase is Phase.CLOSING:
            return self._close()
        bars = self._account.finished_bars(self._plan.symbols, self._plan.since)
        last = self._store.newest(self.id)
        if bars.is_late or (last is not None and bars.stamp < last.stamp):
            sentence = f"The newest bar is of {bars.newest.isoformat()}; one of {bars.due.isoformat()} is due."
            return self._told(Condition.LATE, sentence, last, bars)
        if last is not None and last.stamp == bars.stamp:
            return self._told(*_summary(last), last, bars) if last.done else self._send(last, bars)
        return self._trade(bars, last)

    def _trade(self, bars: FinishedBars, last: Round | None) -> SessionStatus:
        state = self._account.sync()
        stopped = self._stopped(state)
        if stopped:
            return self._told(Condition.HALTED, f"Trading is stopped: {stopped}.", last, bars)
        if self._works_on():
            working = self._cleared()
            if working:
                return self._told(Condition.IN_DOUBT, f"It waits for the end of {', '.join(working)}.", last, bars)
            state = self._account.sync()
        panel = bars.panel
        exposures = self._swarm.exposures(panel)
        targets = Targets(panel, sizing_params(self._settings, allocated=True), allocator_of(self._settings, panel))
        equity = int(state.equity.scaleb(8))
        wanted = targets.differences(len(panel) - 1, exposures, _lots(panel, state), equity)
        orders = [self._order(panel, bars.stamp, column, lots) for column, lots in wanted.items()]
        opened = self._store.open(self.id, bars.stamp, orders)
        if self._publish is not None:
            self._swarm.tell(self._plan.account, exposures, self._publish)
        return self._send(opened, bars)

    def _send(self, told: Round, bars: FinishedBars | None = None) -> SessionStatus:
        """Send the orders of a round, or ask what became of them; those that are known are not sent again."""
        orders = list(told.orders)
        reports = self._account.submit(orders) if orders else []
        again = [r.request for r in reports if r.not_sent and _attempt(r.request) < ATTEMPTS]
        doubtful = any(r.status is OrderStatus.SUBMITTED for r in reports)
        outcomes = tuple(_outcome(report) for report in reports)
        kept = [_next(order) if order in again else order for order in orders]
        noted = replace(told, orders=tuple(kept), done=not (again or doubtful), outcomes=outcomes)
        self._store.note(noted)
        if doubtful:
            return self._told(Condition.IN_DOUBT, "It is not known whether the venue has all its orders.", noted, bars)
        return self._told(*_summary(noted), noted, bars)

    def _close(self) -> SessionStatus:
        """Close what is held in its symbols, once; then it is over."""
        last = self._store.newest(self.id)
        if last is None or last.stamp != CLOSE:
            # What has filled meanwhile need not be cancelled.
            self._account.sync()
            working = self._cleared()
            if working:
                return self._told(Condition.CLOSING, f"It waits for the end of {', '.join(working)}.", last)
            held = self._account.sync().positions
            orders = [
                OrderRequest(
                    f"{self.id}.{CLOSE}.{column}",
                    symbol,
                    Side.SELL if held[symbol] > 0 else Side.BUY,
                    abs(held[symbol]),
                    closing_of(self._plan.signature),
                )
                for column, symbol in enumerate(self._plan.symbols)
                if held.get(symbol)
            ]
            last = self._store.open(self.id, CLOSE, orders)
        told = self._send(last)
        if told.condition is Condition.IN_DOUBT or not self._is_done():
            return replace(told, condition=Condition.CLOSING)
        self._store.turn(self.id, Phase.ENDED, self._clock())
        return self._told(Condition.ENDED, told.sentence, self._store.newest(self.id))

    def _is_done(self) -> bool:
        last = self._store.newest(self.id)
        return last is not None and last.done

    def _stopped(self, state: AccountState) -> str:
        """Why nothing of this session would pass; empty where something may."""
        mine = f"strategy:{plain(self._plan.signature)}"
        wide = [s for s in state.halts if s == "account" or s.startswith("venue:") or plain(s) == mine]
        return "; ".join(f"{scope} ({state.halts[scope]})" for scope in wide)

    def _works_on(self) -> list[str]:
        """Open orders that sessions of the account have in these symbols."""
        kin = {f"{name}." for name in self._store.kin(self._plan.account)}
        found = self._account.query(OrderQuery(symbols=frozenset(self._plan.symbols), limit=MOST_ORDERS))
        names = [family.record.order.request.client_order_id for family in found]
        return [name for name in names if f"{name.partition('.')[0]}." in kin]

    def _cleared(self) -> list[str]:
        """Cancel what sessions have open in these symbols; return what is still open then."""
        return [name for name in self._works_on() if not self._account.cancel(name).status.is_final]

    def _order(self, panel: BarPanel, stamp: str, column: int, lots: int) -> OrderRequest:
        instrument = panel.instruments[column]
        side, quantity = Side.BUY if lots > 0 else Side.SELL, instrument.quantity(abs(lots))
        return OrderRequest(f"{self.id}.{stamp}.{column}", instrument.symbol, side, quantity, self._plan.signature)

    def _told(
        self, condition: Condition, sentence: str, last: Round | None, bars: FinishedBars | None = None
    ) -> SessionStatus:
        missing: tuple[str, ...] = ()
        if bars is not None:
            closes = bars.panel.closes[-1]
            missing = tuple(s for s, close in zip(bars.panel.symbols, closes, strict=True) if np.isnan(close))
        kept, stamp, outcomes = self._store.find(self.id), "" if last is None else last.stamp, ()
        known = outcomes if last is None else last.outcomes
        return SessionStatus(kept, condition, sentence, stamp, self._clock(), known, missing)


def closing_of(signature: str) -> str:
    """Signature of orders that close what a session holds: its kill switch does not hold them up."""
    return f"{signature}.closing"


def _lots(panel: BarPanel, state: AccountState) -> IntArray:
    # Positions are sized in whole lots; a finer rest, left by an order by notional, stays.
    held = [int(state.positions.get(i.symbol, 0) / i.quantity_increment) for i in panel.instruments]
    return np.array(held, dtype=np.int64)


def _attempt(request: OrderRequest) -> int:
    """Number of an order that was made anew; 0 for the first."""
    parts = request.client_order_id.split(".")
    return int(parts[3]) if len(parts) > 3 else 0


def _next(request: OrderRequest) -> OrderRequest:
    first = ".".join(request.client_order_id.split(".")[:3])
    return replace(request, client_order_id=f"{first}.{_attempt(request) + 1}")


def _outcome(report: OrderReport) -> dict[str, str]:
    request = report.request
    return {
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side.value,
        "quantity": f"{request.quantity:f}",
        "status": report.status.value,
        "rule": report.rule,
        "reason": report.reason,
    }


def _summary(told: Round) -> tuple[Condition, str]:
    refused = [o for o in told.outcomes if o["status"] in (OrderStatus.DENIED, OrderStatus.REJECTED)]
    if not refused:
        return Condition.TRADED, f"{len(told.outcomes)} orders of {told.stamp} were sent."
    first = refused[0]
    return Condition.TRADED, f"{len(refused)} of {len(told.outcomes)} orders were refused: {first['reason']}"
