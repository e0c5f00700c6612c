"""A preview of an order by the journal and the settings alone: no venue is reached, and no process is disturbed.

The journal knows prices as they were last marked and not how old they are, and no halts of the venue's own: the rules
on those are not asked. An open account is asked where there is one (`LiveReadings.preview`).
"""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from nt_ray.brokers.alpaca.orders import CAPABILITIES
from nt_ray.config import Settings
from nt_ray.market.bars import Instrument
from nt_ray.risk.gate import RiskGate
from nt_ray.storage.sqlite import MissingError
from nt_ray.trader.books import Books
from nt_ray.trader.connection import FRACTION, TICK, books_of
from nt_ray.trader.journal_reading import limits_in_force
from nt_ray.trader.venue_link import lacking
from nt_ray.trader.verdicts import Verdict, verdicts
from nt_ray.trading.orders import OrderRequest


def from_journal(settings: Settings, account: str, request: OrderRequest, now: datetime) -> list[Verdict]:
    """Ask capabilities and every rule; the symbol's increments are taken for those of a share."""
    books = Books(settings.account.currency)
    with suppress(MissingError):
        books = books_of(settings, account)
    books.now = max(books.time, now)
    is_part = request.notional is not None or request.quantity % 1 != 0
    instrument = Instrument(request.symbol, TICK, FRACTION if is_part else Decimal(1))
    limits = limits_in_force(settings, account, now).changed({"max_reference_age_s": "none"})
    gate = RiskGate(limits, [instrument], account)
    return verdicts(request, gate, books, lacking(CAPABILITIES, request))
