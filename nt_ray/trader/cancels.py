"""The cancels of an account: journalled before the venue is asked, and what it said after.

Several are journalled in one append. One that could not be asked for by itself is told as rejected; of several, those
that could not be asked for stay pending, and every look at the venue asks for them again.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from nt_ray.trader.account_view import AccountView
from nt_ray.trader.news import legal
from nt_ray.trader.reports import OrderReport, report
from nt_ray.trader.venue_link import VenueLink
from nt_ray.trading import events as e
from nt_ray.trading.orders import OrderStatus


class Cancels(AccountView):
    """Cancels of an account; `nt_ray.trader.account.Account` fills in what they stand on."""

    _link: VenueLink
    _commit: Callable[[Sequence[e.Event]], None]
    _now: Callable[[], datetime]
    _moment: Callable[[], datetime]

    @property
    def ends_everything(self) -> bool:
        """Whether a kill switch stops the whole account, so that every order at the venue is to end."""
        return self._controls.ends_everything

    @property
    def cancelling(self) -> int:
        """How many orders are asked to be cancelled and not known to be."""
        orders, books = self._books.orders, self._books
        return sum(orders[client_order_id].status is OrderStatus.PENDING_CANCEL for client_order_id in books.open)

    def cancel(self, client_order_id: str) -> OrderReport:
        """Ask the venue to cancel what is left of an order; a finished one is reported as it stands."""
        if self.begin_cancels([client_order_id]):
            outcome = None
            try:
                outcome = self.ask_cancel(client_order_id)
            finally:
                self.end_cancels([client_order_id], [] if outcome is None else [outcome])
        return report(self._books.orders[client_order_id])

    def cancel_all(self) -> list[OrderReport]:
        """Ask the venue to cancel every order of the account."""
        return self.cancel_many(list(self._books.open), everything=True)

    def cancel_many(self, client_order_ids: Collection[str], *, everything: bool = False) -> list[OrderReport]:
        """Ask the venue to cancel several orders, `everything` of the account with them where that is meant."""
        asked = self.begin_cancels(client_order_ids)
        if asked:
            outcomes: Sequence[e.OrderEvent] = ()
            try:
                outcomes = self.ask_cancels(asked, everything=everything)
            finally:
                self.end_cancels(asked, outcomes)
        return [report(self._books.orders[client_order_id]) for client_order_id in client_order_ids]

    def begin_cancels(self, client_order_ids: Collection[str]) -> list[str]:
        """Journal that the venue is to be asked; return about which orders, those in flight and at an end left out."""
        orders = [self._books.order(client_order_id) for client_order_id in client_order_ids]
        for client_order_id in client_order_ids:
            self._postponed.pop(client_order_id, None)
        working = (o for o in orders if o.status.is_open and o.status is not OrderStatus.PENDING_CANCEL)
        asked = [i for o in working if (i := o.request.client_order_id) not in self._in_flight]
        if asked:
            now = self._now()
            self._commit([e.PendingCancel(now, client_order_id) for client_order_id in asked])
            self._in_flight.update(asked)
        return asked

    def ask_cancel(self, client_order_id: str) -> e.OrderEvent | None:
        """Ask the venue to cancel; None where the outcome is not known yet."""
        return self._link.cancels.one(client_order_id, self._moment())

    def ask_cancels(self, client_order_ids: Sequence[str], *, everything: bool) -> Sequence[e.OrderEvent]:
        """Ask the venue to cancel several orders; return what is known of them."""
        return self._link.cancels.many(client_order_ids, self._moment(), everything=everything)

    def end_cancels(self, client_order_ids: Collection[str], outcomes: Sequence[e.OrderEvent]) -> None:
        """Journal what the venue said."""
        self._in_flight.difference_update(client_order_ids)
        if outcomes:
            self._commit(legal(self._books, outcomes))

    def _postpone(self, client_order_ids: Collection[str], *, everything: bool) -> list[OrderReport]:
        """Leave cancels to whoever asks for `postponed`, who knows as well whether `everything` is to end."""
        self._postponed.update(dict.fromkeys(client_order_ids))
        return [report(self._books.orders[client_order_id]) for client_order_id in client_order_ids]
