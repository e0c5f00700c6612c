"""What can be read of an account; nothing here changes it."""

from collections.abc import Callable, Iterator, Mapping, Set
from decimal import Decimal
from typing import Final

from nt_ray.market.bars import Instrument
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.journal import Journal
from nt_ray.trader.books import Books
from nt_ray.trader.controls import Controls
from nt_ray.trader.reports import AccountState, state_of
from nt_ray.trader.venue_link import VenueLink
from nt_ray.trader.verdicts import Verdict, verdicts
from nt_ray.trading import events as e
from nt_ray.trading.orders import Fill, Order, OrderRequest, OrderStatus

DOUBTFUL: Final = (OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)
"""States of orders about which the venue is to be asked."""


class AccountView:
    """Readings of an account; `nt_ray.trader.account.Account` fills in what they read."""

    name: str
    _journal: Journal
    _books: Books
    _controls: Controls
    _in_flight: set[str]
    _postponed: dict[str, None]
    _unwritten: list[e.OrderEvent]
    _new_books: Callable[[], Books]
    _link: VenueLink

    def preview(self, request: OrderRequest) -> list[Verdict]:
        """Say what the venue's capabilities and each rule make of an order now; nothing is journalled or sent."""
        return verdicts(request, self._controls.gate, self._books, self._link.cannot(request))

    @property
    def in_flight(self) -> Set[str]:
        """Ids of orders about which the venue is being told or asked."""
        return self._in_flight

    @property
    def in_doubt(self) -> list[str]:
        """Ids of orders of which it is not known what the venue did, and nobody waits for its word."""
        orders, books = self._books.orders, self._books
        return [i for i in books.open if orders[i].status in DOUBTFUL and i not in self._in_flight]

    @property
    def disputes(self) -> list[str]:
        """What the venue told and cannot be, a sentence each."""
        return [f"{fact} is disputed: {told.reason}" for fact, told in self._books.disputes.items()]

    @property
    def epoch(self) -> int:
        """Epoch in which this account writes."""
        return self._journal.epoch

    @property
    def postponed(self) -> list[str]:
        """Ids of orders whose cancel the account has decided and left to its caller."""
        return list(self._postponed)

    @property
    def books(self) -> Books:
        """State of the account, to be read."""
        return self._books

    @property
    def limits(self) -> RiskLimits:
        """Limits in force."""
        return self._controls.limits

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """What it may trade."""
        return self._controls.instruments

    def events(self) -> Iterator[e.Event]:
        """All events that the books hold, oldest first: of the journal, and those written with the next ones."""
        yield from (entry.event for entry in self._journal.read())
        yield from self._unwritten

    def empty_books(self) -> Books:
        """Books as they are before the first event."""
        return self._new_books()

    def state(self) -> AccountState:
        """Return the account as it stands."""
        return state_of(self.name, self._books)

    def orders(self) -> list[Order]:
        """All orders, in order of entry."""
        return list(self._books.orders.values())

    def order(self, client_order_id: str) -> Order:
        """One order by its client id."""
        return self._books.order(client_order_id)

    def fills(self) -> list[Fill]:
        """All executions booked so far, oldest first."""
        return list(self._books.fills)

    def balances(self) -> Mapping[str, Decimal]:
        """Balance of each account of the ledger; they sum to zero."""
        return self._books.ledger.balances
