"""The audit of a session that is over: one account of it, from the files that the run has left."""

from pathlib import Path

from nt_ray.brokers.simulated.exchange import SimulatedExchange
from nt_ray.brokers.simulated.matching import Costs
from nt_ray.market.archive import open_panel
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.opening import open_journal
from nt_ray.trader.account import Account
from nt_ray.trader.chaos.audit import Audit, audit
from nt_ray.trader.chaos.venue_record import exchange_record
from nt_ray.trader.files import BARS


def audit_run(folder: Path, name: str) -> Audit:
    """Recover an account of the run in `folder`, and compare it with its journal and its venue's book."""
    panel = open_panel(folder / BARS)
    path = folder / f"venue-{name}.sqlite"
    venue = SimulatedExchange(name, panel, Costs(), path)
    journal = open_journal(folder / f"journal-{name}.sqlite", create=False)
    last = panel.time(len(panel) - 1)
    account = Account(name, journal, venue, RiskLimits(), panel.instruments, lambda: last)
    try:
        return audit(account.books, journal, exchange_record(path, panel, venue), account.reconcile())
    finally:
        account.close()
        venue.close()
