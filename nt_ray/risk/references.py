"""How old prices are, how much usually trades, how prices move together: what the gate holds an order against.

It lives outside the journal: after a restart nothing is known until prices come, so that whatever needs a fresh
reference is refused until then.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from nt_ray.errors import RiskError
from nt_ray.market import nyse
from nt_ray.risk.scenario_table import ScenarioTable

_MOST_SESSIONS: Final = timedelta(days=30)
"""Older than this a price is old whatever the sessions say."""
_NONE: Final = timedelta(0)


def session_age(seen: datetime, now: datetime) -> timedelta:
    """Time of the exchange's regular sessions between two moments; all of it where they lie far apart."""
    if now - seen > _MOST_SESSIONS:
        return now - seen
    days = (moment.astimezone(nyse.NEW_YORK).date() for moment in (seen, now))
    spans = (min(found.end, now) - max(found.start, seen) for found in nyse.sessions(*days))
    return sum((span for span in spans if span > _NONE), _NONE)


class References:
    """Time of the last price, and average daily volume in units of quantity, by symbol; scenarios of all together."""

    __slots__ = ("scenarios", "seen", "volumes")

    def __init__(self) -> None:
        self.seen: dict[str, datetime] = {}
        self.volumes: dict[str, Decimal] = {}
        self.scenarios: ScenarioTable | None = None

    def saw(self, times: Mapping[str, datetime], now: datetime) -> None:
        """Note when prices of symbols were made: one from the future now, one older than what is known not at all."""
        for symbol, time in times.items():
            known = self.seen.get(symbol)
            if known is None or time > known:
                self.seen[symbol] = min(time, now)

    def trade(self, volumes: Mapping[str, Decimal]) -> None:
        """Note average daily volumes in units of quantity."""
        for symbol, volume in volumes.items():
            if not (volume.is_finite() and volume >= 0):
                raise RiskError(f"Average volume {volume} of {symbol} makes no sense. Give a number of zero or more.")
        self.volumes.update(volumes)
