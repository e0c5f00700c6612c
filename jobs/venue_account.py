"""An account at a real venue, opened for the length of a command: it recovers and fences off any other process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.trader.account import Account


@contextmanager
def opened_account(
    settings: "Settings", broker: str, *, live: bool, symbols: Sequence[str] = ()
) -> Iterator["Account"]:
    """Open the account of a broker; these symbols and its positions are marked."""
    from nt_ray.trader.connection import Connection

    with Connection(settings, broker, live=live) as connection:
        account = connection.account(symbols)
        try:
            yield account
        finally:
            account.close()
