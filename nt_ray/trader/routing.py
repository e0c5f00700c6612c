"""Routing: which accounts an order goes to.

Accounts hold the same portfolio, each in proportion to its share of the capital, so no account carries more risk than
its equity bears. What cannot be reached keeps what it holds; the reachable accounts share the rest. No leg opposes
the order: an account that holds too much is brought down by the next order of that side, never by trading with another
account. The table is a value: equal inputs give equal routes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Accounts in order of preference with their shares of the capital, and which of them can be reached."""

    shares: Mapping[str, Decimal]
    reachable: frozenset[str]
    version: int = 0

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names in order of preference."""
        return tuple(self.shares)

    def with_reachable(self, reachable: frozenset[str]) -> "RoutingTable":
        """Table with another set of reachable accounts, one version on."""
        return RoutingTable(self.shares, reachable, self.version + 1)

    def route(self, lots: int, held: Mapping[str, int]) -> list[tuple[str, int]]:
        """Split a signed change of position, in lots, over accounts; empty where none can be reached.

        `held` gives the signed position by account.
        """
        side = 1 if lots > 0 else -1
        legs: list[tuple[str, int]] = []
        left = lots
        for account, target in self._targets(lots, held).items():
            gap = target - held.get(account, 0)
            part = side * min(max(side * gap, 0), side * left)
            if part:
                legs.append((account, part))
                left -= part
        return legs

    def _targets(self, lots: int, held: Mapping[str, int]) -> dict[str, int]:
        """Positions in proportion to the shares; what does not divide goes to the first."""
        open_accounts = [a for a in self.shares if a in self.reachable]
        if not open_accounts:
            return {}
        total = lots + sum(held.get(a, 0) for a in open_accounts)
        capital = sum(self.shares[a] for a in open_accounts)
        targets = {a: int(total * self.shares[a] / capital) for a in open_accounts}
        targets[open_accounts[0]] += total - sum(targets.values())
        return targets
