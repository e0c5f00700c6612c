"""Routing: which accounts an order goes to.

By `SHARES`, accounts hold the same portfolio, each in proportion to its share of the capital, so no account carries
more risk than its equity bears; an account that holds too much is brought down by the next order of that side, never
by trading with another account. By `CHEAPEST` or `FASTEST` the best account takes what opens a position, after
whatever reduces one has gone where that position is. What cannot be reached, or does not trade the asset class, keeps
what it holds. No leg opposes the order. The table is a value: equal inputs give equal routes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from nt_ray.market.bars import AssetClass


class RoutingPolicy(StrEnum):
    """How an order is shared out."""

    SHARES = "shares"
    CHEAPEST = "cheapest"
    FASTEST = "fastest"


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """What routing knows of an account's venue. No asset classes: it trades all of them."""

    cost_bps: Decimal = Decimal(0)
    latency_ms: float = 0.0
    asset_classes: frozenset[AssetClass] = frozenset()

    def trades(self, asset_class: AssetClass) -> bool:
        """Whether the venue trades instruments of a class."""
        return not self.asset_classes or asset_class in self.asset_classes


_UNKNOWN = VenueFacts()


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Accounts in order of preference with their shares of the capital, and which of them can be reached."""

    shares: Mapping[str, Decimal]
    reachable: frozenset[str]
    version: int = 0
    policy: RoutingPolicy = RoutingPolicy.SHARES
    facts: Mapping[str, VenueFacts] = field(default_factory=dict)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Names in order of preference."""
        return tuple(self.shares)

    def with_reachable(self, reachable: frozenset[str]) -> "RoutingTable":
        """Table with another set of reachable accounts, one version on."""
        return replace(self, reachable=reachable, version=self.version + 1)

    def route(
        self, lots: int, held: Mapping[str, int], asset_class: AssetClass = AssetClass.EQUITY
    ) -> list[tuple[str, int]]:
        """Split a signed change of position, in lots, over accounts; empty where none can take it.

        `held` gives the signed position by account.
        """
        able = self.able(asset_class)
        if not able:
            return []
        if self.policy is RoutingPolicy.SHARES:
            return _towards(self._targets(able, lots, held), lots, held)
        return _best_first(sorted(able, key=self.rank), lots, held)

    def able(self, asset_class: AssetClass) -> list[str]:
        """Accounts that can be reached and trade a class, in order of preference."""
        return [a for a in self.shares if a in self.reachable and self.facts.get(a, _UNKNOWN).trades(asset_class)]

    def rank(self, account: str) -> tuple[Decimal | float, Decimal | float]:
        """Sort key, best first; equals stay in order of preference."""
        facts = self.facts.get(account, _UNKNOWN)
        cheap = (facts.cost_bps, facts.latency_ms)
        return cheap if self.policy is RoutingPolicy.CHEAPEST else (facts.latency_ms, facts.cost_bps)

    def _targets(self, able: list[str], lots: int, held: Mapping[str, int]) -> dict[str, int]:
        """Positions in proportion to the shares; what does not divide goes to the first."""
        total = lots + sum(held.get(a, 0) for a in able)
        capital = sum(self.shares[a] for a in able)
        targets = {a: int(total * self.shares[a] / capital) for a in able}
        targets[able[0]] += total - sum(targets.values())
        return targets


def _towards(targets: Mapping[str, int], lots: int, held: Mapping[str, int]) -> list[tuple[str, int]]:
    """Legs that bring accounts nearer to their targets, none against the order."""
    side = 1 if lots > 0 else -1
    legs: list[tuple[str, int]] = []
    left = lots
    for account, target in targets.items():
        gap = target - held.get(account, 0)
        part = side * min(max(side * gap, 0), side * left)
        if part:
            legs.append((account, part))
            left -= part
    return legs


def _best_first(ranked: list[str], lots: int, held: Mapping[str, int]) -> list[tuple[str, int]]:
    """Legs that first reduce opposite positions, best account first; the best account takes the rest."""
    side = 1 if lots > 0 else -1
    left = abs(lots)
    parts: dict[str, int] = {}
    for account in ranked:
        parts[account] = min(max(-side * held.get(account, 0), 0), left)
        left -= parts[account]
    parts[ranked[0]] += left
    return [(account, side * part) for account, part in parts.items() if part]
