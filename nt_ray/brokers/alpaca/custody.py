"""Positions and activities of an account at Alpaca, as a custodian tells of them.

Executions are activities too and are told elsewhere. Kinds that move neither money nor units, and those whose meaning
is not known, are left out: a reconciliation names what they have changed.
"""

from decimal import Decimal
from typing import Final

from nt_ray.brokers.alpaca.wire import Json, number, optional, word
from nt_ray.brokers.custody import ActivityKind, Holding, VenueActivity

KINDS: Final[dict[str, ActivityKind]] = {
    **dict.fromkeys(
        ("DIV", "DIVCGL", "DIVCGS", "DIVFEE", "DIVFT", "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX"), ActivityKind.DIVIDEND
    ),
    **dict.fromkeys(("FEE", "CFEE", "PTC"), ActivityKind.FEE),
    **dict.fromkeys(("INT", "INTNRA", "INTTW"), ActivityKind.INTEREST),
    **dict.fromkeys(("CSD", "CSW", "JNLC", "ACATC", "TRANS"), ActivityKind.CASH),
    **dict.fromkeys(("JNLS", "ACATS"), ActivityKind.UNITS),
    **dict.fromkeys(("SPLIT", "SSP"), ActivityKind.SPLIT),
}
"""By Alpaca's word for an activity, what it does."""

_CANCELED: Final = "canceled"


def holding(item: Json) -> Holding:
    """Read a position; one whose price is not known is worth what it has cost."""
    size = abs(number(item, "qty"))
    entry = number(item, "avg_entry_price")
    quantity = -size if item.get("side") == "short" else size
    return Holding(word(item, "symbol"), quantity, entry, optional(item, "current_price") or entry)


def activity(item: Json) -> VenueActivity | None:
    """Read an activity; None where it does nothing that is known here."""
    kind = KINDS.get(word(item, "activity_type"))
    if kind is None or item.get("status") == _CANCELED:
        return None
    units = optional(item, "qty") if kind in (ActivityKind.UNITS, ActivityKind.SPLIT) else None
    return VenueActivity(
        word(item, "id"),
        kind,
        optional(item, "net_amount") or Decimal(0),
        str(item.get("symbol") or ""),
        units or Decimal(0),
        optional(item, "price"),
    )
