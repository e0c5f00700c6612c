"""The pre-trade gate: the one door through which every order passes before it is sent.

Order of the checks, cheapest first: kill switches, duplicate id, instrument, increments, reference price,
duplicate content, loss breaker, then the limits of `nt_ray.risk.rules`. The first that fails decides. The
gate is pure: it reads a view of the account and changes nothing. It fails closed: without a usable price or
with equity at or below zero no position is opened. Orders that can only reduce a position pass the breaker
and all limits, so no one is locked in, but not the kill switch, the duplicate checks, the increments and the
price.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Final

from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.rules import (
    AccountView,
    BuyingPower,
    Concentration,
    Denial,
    GrossExposure,
    NetExposure,
    OrderNotional,
    PositionNotional,
    Question,
    Rule,
    content,
)
from nt_ray.trading.orders import OrderRequest

__all__ = ["AccountView", "Denial", "RiskGate", "RiskLimits"]

ACCOUNT_SCOPE: Final = "account"

_WIDE: Final = Context(prec=1000, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Wide enough for the remainder of any quantity by any increment."""


class RiskGate:
    """The gate of one account."""

    def __init__(self, limits: RiskLimits, instruments: Sequence[Instrument]) -> None:
        self._instruments = {i.symbol: i for i in instruments}
        self._window = timedelta(seconds=float(limits.exact("duplicate_window_s")))
        self._rules: tuple[Rule, ...] = (
            OrderNotional(limits),
            PositionNotional(limits),
            Concentration(limits),
            GrossExposure(limits),
            NetExposure(limits),
            BuyingPower(limits),
        )

    def check(self, request: OrderRequest, view: AccountView) -> Denial | None:
        """Return why the order must not be sent, or None."""
        early = self._switches(request, view) or self._identity(request, view)
        if early is not None:
            return early
        instrument = self._instruments[request.symbol]
        line = view.exposure.peek(request.symbol)
        early = _increments(request, instrument) or _price(request, line.mark) or self._repeat(request, view)
        if early is not None or line.mark is None:
            return early
        sign, quantity = request.side.sign, request.quantity
        if line.reduces(sign, quantity):
            return None
        early = _losses(request, view)
        if early is not None:
            return early
        mark = line.mark
        price = mark if request.limit_price is None else max(mark, request.limit_price)
        buys, sells = (line.buys + quantity, line.sells) if sign > 0 else (line.buys, line.sells + quantity)
        question = Question(request, view, instrument, line, mark, price * quantity, buys, sells)
        for rule in self._rules:
            found = rule.check(question)
            if found is not None:
                return found
        return None

    def _switches(self, request: OrderRequest, view: AccountView) -> Denial | None:
        halted = view.halted
        if not halted:
            return None
        for scope in (ACCOUNT_SCOPE, f"strategy:{request.strategy}", f"symbol:{request.symbol}"):
            if scope in halted:
                sentence = f"{request.client_order_id}: trading is stopped for {scope}. Resume it first."
                return Denial("kill_switch", "off", scope, sentence)
        return None

    def _identity(self, request: OrderRequest, view: AccountView) -> Denial | None:
        client_order_id = request.client_order_id
        if view.knows(client_order_id):
            sentence = f"{client_order_id}: an order with this id exists. Use a new client_order_id."
            return Denial("duplicate", "1", "2", sentence)
        if request.symbol not in self._instruments:
            known = ", ".join(list(self._instruments)[:8])
            sentence = f"{client_order_id}: {request.symbol} is not tradable here. Use one of: {known}."
            return Denial("instrument", known, request.symbol, sentence)
        return None

    def _repeat(self, request: OrderRequest, view: AccountView) -> Denial | None:
        if not self._window:
            return None
        last = view.last_sent(content(request))
        if last is None or view.now - last >= self._window:
            return None
        seconds = f"{(view.now - last).total_seconds():g}"
        window = f"{self._window.total_seconds():g}"
        sentence = (
            f"{request.client_order_id}: {request.strategy} sent an equal order {seconds} s ago. "
            f"Wait {window} s, or set duplicate_window_s to 0."
        )
        return Denial("duplicate_content", window, seconds, sentence)


def _increments(request: OrderRequest, instrument: Instrument) -> Denial | None:
    if _WIDE.remainder(request.quantity, instrument.quantity_increment):
        return _off(request, "lot", "quantity", request.quantity, instrument.quantity_increment)
    limit_price = request.limit_price
    if limit_price is not None and _WIDE.remainder(limit_price, instrument.price_increment):
        return _off(request, "tick", "limit_price", limit_price, instrument.price_increment)
    return None


def _off(request: OrderRequest, rule: str, field: str, value: Decimal, increment: Decimal) -> Denial:
    sentence = f"{request.client_order_id}: {field} {value} is not a multiple of {increment}. Round it."
    return Denial(rule, str(increment), str(value), sentence)


def _price(request: OrderRequest, mark: Decimal | None) -> Denial | None:
    if mark is not None:
        return None
    sentence = f"{request.client_order_id}: no price of {request.symbol} is known. Wait for its first mark."
    return Denial("reference_price", "known", "unknown", sentence)


def _losses(request: OrderRequest, view: AccountView) -> Denial | None:
    for rule in sorted(view.tripped):
        sentence = (
            f"{request.client_order_id}: the {rule} breaker has tripped, only orders that reduce a position "
            "pass. Reset it with a name and a reason."
        )
        return Denial(rule, "closed", "tripped", sentence)
    if view.equity <= 0:
        sentence = f"{request.client_order_id}: equity is {view.equity}. Deposit capital before opening positions."
        return Denial("equity", "0", str(view.equity), sentence)
    return None
