"""What an account at a real venue holds, with the stop orders that protect it."""

from nt_ray.config import Settings
from nt_ray.trader.connection import books_of
from nt_ray.trader.holdings import Held, Listing


def listing_of_account(settings: Settings, name: str) -> Listing:
    """Read what an account holds from its journal alone; no venue is asked, and nobody is fenced off."""
    books = books_of(settings, name)
    return Listing(
        held=tuple(
            Held(
                symbol=symbol,
                quantity=position.quantity,
                price=books.marks.get(symbol),
                stops=books.exposure.peek(symbol).stops,
            )
            for symbol, position in sorted(books.ledger.positions().items())
        ),
        equity=books.ledger.equity(books.marks),
        source=f"account {name}",
    )
