"""What may stop an account or change its limits: kill switches, the loss breaker, audited limits, the throttle.

Each decision is an event in the journal with who made it and why, so it survives restarts. Whatever a kill switch or an
open breaker forbids to work is cancelled at once and, where the venue could not be reached, again on every `watch`.
A kill switch cancels every order of its scope; the breaker cancels what could open or add to a position and leaves
the exits of positions alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from nt_ray.errors import BadInputError
from nt_ray.market.bars import Instrument
from nt_ray.risk.breaker import BreakerState
from nt_ray.risk.exposure import ZERO
from nt_ray.risk.gate import RiskGate, RiskLimits
from nt_ray.risk.standing import FREE, Standing
from nt_ray.trader.books import Books
from nt_ray.trader.reports import OrderReport
from nt_ray.trading import events as e
from nt_ray.trading.orders import Order, OrderRequest, OrderStatus

ACCOUNT_SCOPE: Final = "account"
NAMED_SCOPES: Final = ("venue", "strategy", "symbol")
GATE: Final = "risk gate"
"""Who signs what the account decides by itself."""


class Cancel(Protocol):
    """Asks the venue to cancel orders, `everything` of the account with them where that is meant."""

    def __call__(self, client_order_ids: Sequence[str], *, everything: bool) -> list[OrderReport]:
        """Return what became of them."""
        ...


class Controls:
    """Switches and limits of one account."""

    def __init__(
        self,
        books: Books,
        limits: RiskLimits,
        instruments: Sequence[Instrument],
        venue: str,
        commit: Callable[[Sequence[e.Event]], None],
        cancel: Cancel,
        standing: Standing = FREE,
    ) -> None:
        """Stand beside books; `commit` journals and folds events, `cancel` asks the venue to cancel orders."""
        self._books = books
        self._base = self.limits = limits
        self.instruments = tuple(instruments)
        self._venue = venue
        self._commit = commit
        self._cancel = cancel
        self._standing = standing
        self.gate = RiskGate(limits, instruments, venue, standing)
        self.refresh()

    def refresh(self) -> None:
        """Put the limits in force that the books name."""
        changes = {name: event.changes[name] for name, event in self._books.limit_changes.items()}
        limits = self._base.changed(changes) if changes else self._base
        if limits != self.limits:
            self.limits = limits
            self.gate = RiskGate(limits, self.instruments, self._venue, self._standing)

    def heed(self, standing: Standing | None) -> None:
        """Let the gate know what the venue does not allow; None: what was known still holds."""
        if standing is not None and standing != self._standing:
            self._standing = standing
            self.gate = RiskGate(self.limits, self.instruments, self._venue, standing)

    def halt(self, scopes: Sequence[str], who: str, reason: str, now: datetime) -> list[OrderReport]:
        """Set kill switches, all in one decision, and cancel what works in their scopes."""
        for scope in scopes:
            check_scope(scope)
        check_signature(who, reason)
        fresh = [scope for scope in scopes if scope not in self._books.halts]
        self._commit([e.KillSwitchSet(now, scope, who, reason) for scope in fresh])
        return self._enforce()

    def resume(self, scopes: Sequence[str], who: str, reason: str, now: datetime) -> None:
        """Clear kill switches."""
        for scope in scopes:
            check_scope(scope)
        check_signature(who, reason)
        found = [scope for scope in scopes if scope in self._books.halts]
        self._commit([e.KillSwitchCleared(now, scope, who, reason) for scope in found])

    def reset(self, who: str, reason: str, now: datetime) -> None:
        """Close the loss breaker; losses count from the present equity on."""
        check_signature(who, reason)
        if self._books.tripped:
            self._commit([e.BreakerReset(now, who, reason)])

    def change_limits(
        self, changes: Mapping[str, Any], who: str, reason: str, now: datetime, expires: datetime | None = None
    ) -> RiskLimits:
        """Change limits, for good or until a time; return the limits then in force."""
        check_signature(who, reason)
        if not changes:
            raise BadInputError("No limit is named. Give the names and the new values.")
        if expires is not None and (expires.tzinfo is None or expires <= now):
            raise BadInputError(f"A change that expires at {expires} changes nothing. Give a later time, in UTC.")
        texts = {name: _text(value) for name, value in changes.items()}
        self.limits.changed(texts)
        self._commit([e.LimitsChanged(now, texts, who, reason, expires)])
        self.refresh()
        return self.limits

    def revert_limits(self, names: Sequence[str], who: str, reason: str, now: datetime) -> RiskLimits:
        """Put limits back to what the configuration says; no names: all of them."""
        check_signature(who, reason)
        changed = self._books.limit_changes
        found = [name for name in names or list(changed) if name in changed]
        if found:
            self._commit([e.LimitsReverted(now, tuple(found), who, reason)])
            self.refresh()
        return self.limits

    def expire(self, now: datetime) -> None:
        """Put back limits whose change has expired."""
        over = [n for n, c in self._books.limit_changes.items() if c.expires is not None and c.expires <= now]
        if over:
            self.revert_limits(over, GATE, "The change has expired.", now)

    def alarms(self, events: Iterable[e.Event], now: datetime) -> list[e.Event]:
        """Kill switches that follow from what should not have happened, until a person has looked."""
        found: dict[str, str] = {}
        for event in events:
            if isinstance(event, e.OrderFound):
                found.setdefault(ACCOUNT_SCOPE, f"{event.client_order_id} was given up and works at the venue.")
            elif isinstance(event, e.FactDisputed):
                symbol = self._books.order(event.client_order_id).request.symbol
                found.setdefault(f"symbol:{symbol}", event.reason)
        return [e.KillSwitchSet(now, s, GATE, why) for s, why in found.items() if s not in self._books.halts]

    def watch(self, now: datetime) -> None:
        """Look at losses and executions after news from the venue, and see that what is stopped does not work on."""
        self.expire(now)
        books = self._books
        trips = books.breaker.new_trips(books.equity, self.limits)
        if trips:
            self._commit([e.BreakerTripped(now, t.rule, str(t.limit), f"{t.value:.6f}") for t in trips])
        self._throttle(now)
        if books.halts or books.breaker_state is BreakerState.OPEN:
            self._enforce()
            if books.breaker_state is BreakerState.OPEN and not self._forbidden():
                self._commit([e.BreakerHalfOpened(now)])

    def _throttle(self, now: datetime) -> None:
        """Stop strategies that executed too often within the window."""
        most = self.limits.max_executions
        if most is None:
            return
        since = now - timedelta(seconds=float(self.limits.exact("execution_window_s")))
        for fill in self._books.recent:
            strategy = self._books.orders[fill.client_order_id].request.strategy
            scope = f"strategy:{strategy}"
            if scope not in self._books.halts and self._books.flow.is_repeating(strategy, most, since):
                reason = f"More than {most} executions within {self.limits.execution_window_s} s."
                self._commit([e.KillSwitchSet(now, scope, GATE, reason)])

    def _enforce(self) -> list[OrderReport]:
        """Cancel what must not work."""
        asked = (order for order in self._forbidden() if order.status is not OrderStatus.PENDING_CANCEL)
        return self._cancel([order.request.client_order_id for order in asked], everything=self.ends_everything)

    @property
    def ends_everything(self) -> bool:
        """Whether a kill switch stops the whole account, so that every order at the venue is to end."""
        return ACCOUNT_SCOPE in self._books.halts or f"venue:{self._venue}" in self._books.halts

    def _forbidden(self) -> list[Order]:
        """Orders that the venue may hold and that a kill switch or the open breaker forbids."""
        books = self._books
        opened = books.breaker_state is BreakerState.OPEN
        orders = (books.orders[client_order_id] for client_order_id in books.open)
        return [o for o in orders if self._halted(o.request) or (opened and self._may_open(o.request))]

    def is_stopped(self, request: OrderRequest) -> bool:
        """Whether a kill switch or a breaker that has tripped keeps an order from the venue."""
        return self._halted(request) or (bool(self._books.tripped) and self._may_open(request))

    def _halted(self, request: OrderRequest) -> bool:
        scopes = (ACCOUNT_SCOPE, f"venue:{self._venue}", f"strategy:{request.strategy}", f"symbol:{request.symbol}")
        return any(scope in self._books.halts for scope in scopes)

    def _may_open(self, request: OrderRequest) -> bool:
        """Whether an open order, with all of its side, could do more than reduce the position."""
        line = self._books.exposure.peek(request.symbol)
        if request.side.sign > 0:
            return line.buys > max(-line.position, ZERO)
        return line.sells > max(line.position, ZERO)


def check_scope(scope: str) -> None:
    """Refuse what is no scope of a kill switch."""
    kind, _, name = scope.partition(":")
    if scope != ACCOUNT_SCOPE and not (kind in NAMED_SCOPES and name):
        raise BadInputError(f"Scope {scope!r} is unknown. Use account, venue:NAME, strategy:NAME or symbol:SYMBOL.")


def check_signature(who: str, reason: str) -> None:
    """Refuse a decision that nobody signs."""
    if not who.strip() or not reason.strip():
        raise BadInputError(f"who={who!r}, reason={reason!r} is not a signature. Give a name and a reason.")


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (frozenset, set, list, tuple)):
        return ",".join(sorted(map(str, value)))
    return str(value)
