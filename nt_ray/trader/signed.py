"""What each strategy has signed in one account: counts beside the past, so that asking for one looks at no order.

A strategy may be written in several ways (`Mean Reversion`, `mean_reversion`); orders bear it letter by letter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from nt_ray.strategies.registry import plain
from nt_ray.trading.orders import OrderStatus

if TYPE_CHECKING:
    # It knows the past, which counts here.
    from nt_ray.trader.tally import Traded

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class StrategyRecord:
    """What a strategy has done in an account, however its orders write it: `names` are the ways in which they do."""

    names: tuple[str, ...]
    orders: int
    denied: int
    open: int
    last_order: datetime | None
    executions: int
    realised: Decimal


@dataclass(slots=True)
class _Count:
    """Orders under one name."""

    orders: int = 0
    denied: int = 0
    open: int = 0
    last: datetime | None = None


class Signed:
    """Counts of an account's orders by the strategy that they bear."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._spelled: dict[str, list[str]] = {}
        """The ways in which orders write a strategy, by its plain name."""

    def enter(self, strategy: str, time: datetime) -> None:
        """Count an order that begins."""
        found = self._counts.get(strategy)
        if found is None:
            found = self._counts[strategy] = _Count()
            self._spelled.setdefault(plain(strategy), []).append(strategy)
        found.orders += 1
        found.last = time

    def change(self, strategy: str, before: OrderStatus, after: OrderStatus) -> None:
        """Follow an order from one state into another."""
        if before is not after:
            found = self._counts[strategy]
            found.open += after.is_open - before.is_open
            found.denied += after is OrderStatus.DENIED

    def record(self, name: str, traded: "Iterable[Traded]") -> StrategyRecord:
        """Say what a strategy has done, by any of its names."""
        mine = {signed: self._counts[signed] for signed in self._spelled.get(plain(name), ())}
        lines = [line for line in traded if line.strategy in mine]
        counts = mine.values()
        return StrategyRecord(
            names=tuple(sorted(mine)),
            orders=sum(count.orders for count in counts),
            denied=sum(count.denied for count in counts),
            open=sum(count.open for count in counts),
            last_order=max((count.last for count in counts if count.last is not None), default=None),
            executions=sum(line.executions for line in lines),
            realised=sum((line.realised for line in lines), _NOTHING),
        )
