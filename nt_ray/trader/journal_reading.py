"""What can be learnt of an account from its journal alone: who writes it, and the limits in force. It fences nobody."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from nt_ray.config import Settings
from nt_ray.errors import StorageError
from nt_ray.risk.limits import RiskLimits
from nt_ray.storage.holding import Holder, holder_of
from nt_ray.storage.opening import opened
from nt_ray.storage.sqlite import MissingError
from nt_ray.trader.books import Books
from nt_ray.trader.connection import books_of, journal_of
from nt_ray.trader.planning import risk_limits


class HeldError(StorageError):
    """An account that another process trades at this moment."""

    code = "held"
    status = 409
    exit_code = 2

    def __init__(self, account: str, holder: Holder) -> None:
        super().__init__(
            f"Account {account} is held by {holder}, which opening it here would stop for good. Command it there: set "
            "RAY_ADDRESS or ray.address to the cluster of its actor, or ask the gateway that started it. Else end that "
            "process; --take-over opens the account all the same."
        )


def check_free(settings: Settings, account: str) -> None:
    """Raise `HeldError` where a living process writes the account's journal."""
    holder = _holder(journal_of(settings, account))
    if holder is not None:
        raise HeldError(account, holder)


def limits_in_force(settings: Settings, account: str, now: datetime) -> RiskLimits:
    """Limits of the settings with the changes that the journal holds and that have not expired."""
    books = Books(settings.account.currency)
    with suppress(MissingError):
        books = books_of(settings, account)
    changed = books.limit_changes.items()
    changes = {n: c.changes[n] for n, c in changed if c.expires is None or c.expires > now}
    limits = risk_limits(settings, live=True)
    return limits.changed(changes) if changes else limits


def _holder(journal: str | Path) -> Holder | None:
    if isinstance(journal, Path):
        return holder_of(journal)
    try:
        with opened(journal) as found:
            return found.holder()
    except MissingError:
        return None
