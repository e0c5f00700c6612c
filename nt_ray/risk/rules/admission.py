"""Rules of admission, which every order must pass whatever it does to the position: may this be sent at all."""

from datetime import timedelta
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import ClassVar, Final

from nt_ray.risk.breaker import BreakerState
from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.rules.base import Denial, Question, content
from nt_ray.risk.rules.freshness import Freshness
from nt_ray.trading.orders import MARKET

ACCOUNT_SCOPE: Final = "account"

_WIDE: Final = Context(prec=1000, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Wide enough for the remainder of any quantity by any increment."""


class KillSwitch:
    """Trading in the account, at its venue, of the strategy or in the symbol has been stopped."""

    name: ClassVar[str] = "kill_switch"

    def __init__(self, venue: str) -> None:
        self._venue = f"venue:{venue}"

    def check(self, q: Question) -> Denial | None:
        """Look for the order's scopes among those that are stopped."""
        halted = q.view.halted
        if not halted:
            return None
        request = q.request
        for scope in (ACCOUNT_SCOPE, self._venue, f"strategy:{request.strategy}", f"symbol:{request.symbol}"):
            if scope in halted:
                sentence = f"{request.client_order_id}: trading is stopped for {scope}. Resume it first."
                return Denial(self.name, "off", scope, sentence)
        return None


class OpenBreaker:
    """Losses have opened the breaker: nothing passes until no order works any more."""

    name: ClassVar[str] = "breaker_open"

    def check(self, q: Question) -> Denial | None:
        """Look at the breaker."""
        if not q.tripped or q.view.breaker_state is not BreakerState.OPEN:
            return None
        rules = ", ".join(sorted(q.tripped))
        sentence = f"{q.request.client_order_id}: the {rules} breaker is open while working orders are cancelled. Wait."
        return Denial(self.name, "closed", "open", sentence)


class DuplicateId:
    """Each client id names one order for ever."""

    name: ClassVar[str] = "duplicate"

    def check(self, q: Question) -> Denial | None:
        """Ask whether the id is taken."""
        client_order_id = q.request.client_order_id
        if not q.view.knows(client_order_id):
            return None
        sentence = f"{client_order_id}: an order with this id exists. Use a new client_order_id."
        return Denial(self.name, "1", "2", sentence)


class KnownInstrument:
    """The symbol is one that this account trades."""

    name: ClassVar[str] = "instrument"

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self._known = ", ".join(symbols[:8])

    def check(self, q: Question) -> Denial | None:
        """Look whether the instrument is known."""
        if q.instrument is not None:
            return None
        request = q.request
        sentence = f"{request.client_order_id}: {request.symbol} is not tradable here. Use one of: {self._known}."
        return Denial(self.name, self._known, request.symbol, sentence)


class Restricted:
    """The symbol is not on the restricted list."""

    name: ClassVar[str] = "restricted"

    def __init__(self, limits: RiskLimits) -> None:
        self._symbols = limits.restricted

    def check(self, q: Question) -> Denial | None:
        """Look the symbol up."""
        request = q.request
        if request.symbol not in self._symbols:
            return None
        sentence = f"{request.client_order_id}: {request.symbol} is on the restricted list. Trade something else."
        return Denial(self.name, "not listed", request.symbol, sentence)


class Increments:
    """Quantity in whole lots, prices in whole ticks."""

    name: ClassVar[str] = "increment"

    def check(self, q: Question) -> Denial | None:
        """Divide quantity and prices by their increments."""
        request, instrument = q.request, q.instrument
        if instrument is None:
            return None
        if not _divides(request.quantity, instrument.quantity_increment):
            return _off(q, "lot", "quantity", request.quantity, instrument.quantity_increment)
        if request.type is MARKET:
            return None
        tick = instrument.price_increment
        if request.limit_price is not None and not _divides(request.limit_price, tick):
            return _off(q, "tick", "limit_price", request.limit_price, tick)
        if request.stop_price is not None and not _divides(request.stop_price, tick):
            return _off(q, "tick", "stop_price", request.stop_price, tick)
        if request.trail_amount is not None and not _divides(request.trail_amount, tick):
            return _off(q, "tick", "trail_amount", request.trail_amount, tick)
        return None


class ReferencePrice:
    """A usable price of the symbol is known."""

    name: ClassVar[str] = "reference_price"

    def check(self, q: Question) -> Denial | None:
        """Look at the mark."""
        if q.mark:
            return None
        request = q.request
        sentence = f"{request.client_order_id}: no price of {request.symbol} is known. Wait for its first mark."
        return Denial(self.name, "known", "unknown", sentence)


class PriceCollar:
    """Limit and stop prices stay near the reference price.

    A reference that is too old judges nothing: what opens a position is refused for that, what reduces one passes.
    """

    name: ClassVar[str] = "price_collar"

    def __init__(self, limits: RiskLimits) -> None:
        self._collar = limits.exact("price_collar")
        self._freshness = Freshness(limits)

    def check(self, q: Question) -> Denial | None:
        """Compare the distance from the mark with the collar."""
        request = q.request
        if request.type is MARKET:
            return None
        for price in (request.limit_price, request.stop_price):
            if price is not None and abs(price - q.mark) > self._collar * q.mark and not self._freshness.is_stale(q):
                away = abs(price / q.mark - 1)
                sentence = (
                    f"{request.client_order_id}: price {price} is {away:.4f} away from the reference {q.mark}, "
                    f"more than {self._collar}. Correct the price."
                )
                return Denial(self.name, str(self._collar), f"{away:.6f}", sentence)
        return None


class DuplicateContent:
    """An equal order of the same strategy within the window is taken for a mistake."""

    name: ClassVar[str] = "duplicate_content"

    def __init__(self, limits: RiskLimits) -> None:
        self._window = timedelta(seconds=float(limits.exact("duplicate_window_s")))

    def check(self, q: Question) -> Denial | None:
        """Look when an equal order was last let through."""
        request, view = q.request, q.view
        last = view.last_sent(content(request))
        if last is None or view.now - last >= self._window:
            return None
        seconds, window = f"{(view.now - last).total_seconds():g}", f"{self._window.total_seconds():g}"
        sentence = (
            f"{request.client_order_id}: {request.strategy} sent an equal order {seconds} s ago. "
            f"Wait {window} s, or set duplicate_window_s to 0."
        )
        return Denial(self.name, window, seconds, sentence)


def _divides(value: Decimal, increment: Decimal) -> bool:
    """Whether a value is a whole number of increments."""
    try:
        return not value % increment
    except InvalidOperation:  # the quotient is longer than the usual 28 digits
        return not _WIDE.remainder(value, increment)


def _off(q: Question, rule: str, field: str, value: Decimal, increment: Decimal) -> Denial:
    sentence = f"{q.request.client_order_id}: {field} {value} is not a multiple of {increment}. Round it."
    return Denial(rule, str(increment), str(value), sentence)
