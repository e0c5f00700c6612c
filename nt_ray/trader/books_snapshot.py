"""Books as text, and back: what `restore` makes of `snapshot` goes on exactly as the books that were written down.

Every attribute of `Books` is written but those that no event changes: settings of the constructor, what is known from
prices outside the journal, what is reserved within one call, and who follows. It knows no journal.
"""

import json
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any, Final

from nt_ray.risk import breaker, exposure, flow, heat
from nt_ray.trader import claims
from nt_ray.trader.books import Books
from nt_ray.trading import actions, columns, events, ledger, lots, orders, verdict
from nt_ray.trading.columns import Classes, ColumnError, pack, unpack

_MODULES: Final[tuple[ModuleType, ...]] = (
    actions, breaker, claims, events, exposure, flow, heat, ledger, lots, orders, verdict,
)  # fmt: skip
"""Where the classes of which books consist are defined."""

_LEFT_OUT: Final = frozenset({"_handlers", "_by_hand", "_pending", "_reserved", "now", "references", "told"})


def snapshot(books: Books) -> str:
    """Write the state of books down; nothing may be reserved."""
    return written(_kept(books))


def frozen(books: Books) -> dict[str, Any]:
    """Copy what `written` writes down, in a hundredth of its time; nothing may be reserved."""
    return {name: columns.frozen(value) for name, value in _kept(books).items()}


def written(kept: Mapping[str, Any]) -> str:
    """Write a copy of books down."""
    # One by one, so that other threads have their turns in between.
    parts = (
        f"{json.dumps(name)}:{json.dumps(pack([value], classes()), separators=(',', ':'), ensure_ascii=False)}"
        for name, value in kept.items()
    )
    return f"{{{','.join(parts)}}}"


def _kept(books: Books) -> dict[str, Any]:
    return {name: value for name, value in vars(books).items() if name not in _LEFT_OUT}


def restore(books: Books, state: str) -> None:
    """Bring new books to a state that was written down; `ColumnError` where it is not one of theirs."""
    try:
        told: Any = json.loads(state)
        names = {name for name in vars(books) if name not in _LEFT_OUT}
        fits = isinstance(told, dict) and told.keys() == names
    except ValueError:
        fits = False
    if not fits:
        raise ColumnError("The snapshot was written by another version. Leave it out and replay the events.")
    read = {name: unpack(column, classes())[0] for name, column in told.items()}
    kept, wanted = read["ledger"], books.ledger
    if (kept.currency, kept.method) != (wanted.currency, wanted.method):
        raise ColumnError(
            f"The snapshot keeps {kept.method} lots in {kept.currency}. Replay the events to change that."
        )
    for name, value in read.items():
        setattr(books, name, value)


@cache
def classes() -> Classes:
    """Every class that is defined where books get theirs from, by name."""
    found = (c for m in _MODULES for c in vars(m).values() if isinstance(c, type) and c.__module__ == m.__name__)
    return {c.__name__: c for c in found}
