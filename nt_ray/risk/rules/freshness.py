"""How old the reference price of an order may be, for every rule that holds something against that price."""

from datetime import timedelta

from nt_ray.market.bars import AssetClass
from nt_ray.risk.limits import RiskLimits
from nt_ray.risk.references import session_age
from nt_ray.risk.rules.base import Question

_OF_SESSIONS = frozenset({AssetClass.EQUITY, AssetClass.ETF})
"""What is traded in the exchange's sessions; anything else ages day and night."""


class Freshness:
    """The limit of age; without one no price is stale."""

    __slots__ = ("_in_sessions", "longest")

    def __init__(self, limits: RiskLimits) -> None:
        known = limits.max_reference_age_s is not None
        self.longest = timedelta(seconds=float(limits.exact("max_reference_age_s"))) if known else timedelta.max
        self._in_sessions = limits.reference_hours == "session"

    def is_stale(self, q: Question) -> bool:
        """Whether the mark is too old, or of unknown age where an age is asked for."""
        if self.longest == timedelta.max:
            return False
        seen = q.view.references.seen.get(q.request.symbol)
        if seen is None:
            return True
        return q.view.now - seen > self.longest and self.age(q) > self.longest

    def age(self, q: Question) -> timedelta:
        """Age of the mark; without end where it is not known."""
        view, instrument = q.view, q.instrument
        seen = view.references.seen.get(q.request.symbol)
        if seen is None:
            return timedelta.max
        if self._in_sessions and instrument is not None and instrument.asset_class in _OF_SESSIONS:
            return session_age(seen, view.now)
        return view.now - seen
