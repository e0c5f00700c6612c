"""What an order says that it does to the position, held against the position: open or add to it, or close of it.

Both rules are for every order and look at the position when the order comes in, so of orders that come at once each
counts on what those before it leave.
"""

from typing import ClassVar

from nt_ray.risk.rules.base import ZERO, Denial, Question, plain


class Effect:
    """No order does another thing to the position than it says."""

    name: ClassVar[str] = "position_effect"

    def check(self, q: Question) -> Denial | None:
        """Compare the side with that of the position."""
        request = q.request
        if not request.position_effect:
            return None
        inferred = "close" if q.line.position * q.sign < 0 else "open"
        if inferred == request.position_effect:
            return None
        words = f"inferred: {request.side}_to_{inferred}, specified: {request.side}_to_{request.position_effect}"
        sentence = f"{request.client_order_id}: position intent mismatch, {words}. Look the position up."
        return Denial(self.name, inferred, request.position_effect, sentence)


class Closable:
    """No order closes more than the other open orders of its side leave of the position."""

    name: ClassVar[str] = "closable_quantity"

    def check(self, q: Question) -> Denial | None:
        """Compare the quantity with what is left."""
        request = q.request
        if request.position_effect != "close":
            return None
        open_quantity = q.buys if q.sign > 0 else q.sells
        left = max(abs(q.line.position) - open_quantity + q.quantity, ZERO)
        if q.quantity <= left:
            return None
        words = f"requested: {plain(q.quantity)}, available: {plain(left)}"
        sentence = (
            f"{request.client_order_id}: insufficient qty available for order ({words}). Close less, or cancel what "
            "holds the rest."
        )
        return Denial(self.name, plain(left), plain(q.quantity), sentence)
