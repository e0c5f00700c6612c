"""What an account may do at all: what its limits allow beyond reducing positions, and what its venue lets it."""

from typing import ClassVar

from nt_ray.risk.rules.base import Denial, Question
from nt_ray.risk.standing import Standing


class AccountBlocked:
    """The venue takes no order of the account."""

    name: ClassVar[str] = "account_blocked"

    def __init__(self, standing: Standing) -> None:
        self._why = standing.blocked

    def check(self, q: Question) -> Denial | None:
        """Deny every order."""
        sentence = f"{q.request.client_order_id}: the venue has blocked the account ({self._why}). Ask the venue."
        return Denial(self.name, "not blocked", self._why, sentence)


class HaltedInstrument:
    """The venue does not let the symbol be traded now."""

    name: ClassVar[str] = "halted_instrument"

    def __init__(self, standing: Standing) -> None:
        self._halted = standing.halted

    def check(self, q: Question) -> Denial | None:
        """Look the symbol up."""
        symbol = q.request.symbol
        why = self._halted.get(symbol)
        if why is None:
            return None
        sentence = f"{q.request.client_order_id}: {symbol} is halted: {why}. Wait until it trades again."
        return Denial(self.name, "tradable", symbol, sentence)


class Borrowable:
    """Shares that the venue lends: without them no sale, all open ones filled first, is larger than the position."""

    name: ClassVar[str] = "not_borrowable"

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def check(self, q: Question) -> Denial | None:
        """Deny a sale short; those that only reduce a position are not asked."""
        symbol = q.request.symbol
        if q.sign > 0 or (self._standing.shorting and symbol not in self._standing.unshortable):
            return None
        return _sold_short(q, self.name, "the venue lets nobody sell it short now")


class Shorting:
    """An account that may not sell short: no sale, all open ones filled first, is larger than the position."""

    name: ClassVar[str] = "no_shorting"

    def check(self, q: Question) -> Denial | None:
        """Deny a sale; those that only reduce a position are not asked."""
        if q.sign > 0:
            return None
        return _sold_short(q, self.name, "this account may not sell short")


class Fractions:
    """An account that trades whole units alone: nothing that opens a position is of a fraction or of an amount."""

    name: ClassVar[str] = "no_fractions"

    def check(self, q: Question) -> Denial | None:
        """Look at the quantity."""
        request = q.request
        if request.notional is None and request.quantity == request.quantity.to_integral_value():
            return None
        told = f"{request.quantity} units" if request.notional is None else f"{request.notional} of money"
        sentence = f"{request.client_order_id}: {told} of {request.symbol}, and this account trades whole units alone."
        return Denial(self.name, "whole units", told, f"{sentence} Give a whole quantity.")


def _sold_short(q: Question, rule: str, why: str) -> Denial:
    request, held = q.request, q.line.position
    sentence = (
        f"{request.client_order_id}: open sales of {q.sells} {request.symbol} would be more than the position of "
        f"{held}, and {why}. Sell less."
    )
    return Denial(rule, str(max(held, 0)), str(q.sells), sentence)
