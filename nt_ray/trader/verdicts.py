"""What would become of an order: the answers of the venue's capabilities and of every rule of the gate.

It journals nothing and reserves nothing, and it asks no venue.
"""

from dataclasses import dataclass

from nt_ray.risk.gate import RiskGate
from nt_ray.trader.books import Books
from nt_ray.trader.reports import capability_denial
from nt_ray.trading.orders import OrderRequest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of an order; `reason` is empty where it lets the order pass."""

    rule: str
    reason: str = ""
    limit: str = ""
    value: str = ""


def verdicts(request: OrderRequest, gate: RiskGate, books: Books, cannot: str) -> list[Verdict]:
    """Ask capabilities and rules; `cannot` is what the venue lacks for the order."""
    lacks = capability_denial(request, cannot) if cannot else None
    asked = [("capability", lacks), *gate.explain(request, books)]
    return [Verdict(rule) if d is None else Verdict(rule, d.reason, d.limit, d.value) for rule, d in asked]
