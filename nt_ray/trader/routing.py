"""Routing: which account an order goes to.

Each symbol has a home account. An order first reduces what it can of an opposite position at a reachable
account (home first, then in table order); what is left opens at the home, or, while the home is unreachable, at the
first reachable account of the table. The table is a value: equal inputs give equal routes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nt_ray.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Accounts in order of preference, their reachability, and the home of each symbol."""

    accounts: tuple[str, ...]
    homes: Mapping[str, str]
    reachable: frozenset[str]
    version: int = 0

    def with_reachable(self, reachable: frozenset[str]) -> "RoutingTable":
        """Table with another set of reachable accounts, one version on."""
        return RoutingTable(self.accounts, self.homes, reachable, self.version + 1)

    def route(self, symbol: str, lots: int, held: Mapping[str, int]) -> list[tuple[str, int]]:
        """Split a signed quantity in lots over accounts; empty where no account can be reached.

        `held` gives the signed position in `symbol` by account.
        """
        home = self.homes[symbol]
        order = [a for a in (home, *(a for a in self.accounts if a != home)) if a in self.reachable]
        if not order:
            return []
        legs: dict[str, int] = {}
        left = lots
        for account in order:
            position = held.get(account, 0)
            if left * position < 0:
                part = max(left, -position) if left < 0 else min(left, -position)
                legs[account] = part
                left -= part
        if left:
            legs[order[0]] = legs.get(order[0], 0) + left
        return list(legs.items())


def spread_homes(symbols: Sequence[str], accounts: Sequence[str]) -> dict[str, str]:
    """Give each symbol a home, dealing the symbols round the accounts so that load and capital balance."""
    if not accounts:
        raise ConfigError("No broker is enabled. Name at least one under [brokers] enabled.")
    return {symbol: accounts[i % len(accounts)] for i, symbol in enumerate(symbols)}
