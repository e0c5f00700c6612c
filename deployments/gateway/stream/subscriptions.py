"""What one client follows: its place in each channel, and the messages that are next for it.

A place never goes back and never skips an event without saying so: where events are lost to a client, a message `gap`
comes before the next one. What it may not see is left out by account and by owner, or refused by channel.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from deployments.gateway.stream.hub import Copy
from deployments.gateway.stream.messages import Subscribe, Wanted
from nt_ray.access.roles import Owned, Principal, Scope
from nt_ray.trader.event_stream import Channel, Event

NEEDS: Final[Mapping[Channel, Scope]] = MappingProxyType(
    {
        Channel.BARS: Scope.STRATEGIES_READ,
        Channel.QUOTES: Scope.STRATEGIES_READ,
        Channel.DECISIONS: Scope.SWARMS_READ,
        Channel.ORDERS: Scope.TRADING_READ,
        Channel.FILLS: Scope.TRADING_READ,
        Channel.RISK: Scope.RISK_READ,
        Channel.JOBS: Scope.JOBS_READ,
    }
)
"""Scope of each channel."""

MOST_IN_A_FRAME: Final = 500
"""Events of a channel in one frame."""
FRAME: Final = 1 << 18
"""Characters after which a frame takes no more; clients refuse frames above 1 MiB unless told otherwise."""


@dataclass(slots=True)
class Place:
    """Where a client is in a channel; `symbols` empty: all. Up to `past` lies what it came back for."""

    seq: int
    symbols: frozenset[str]
    past: int = 0


class Subscriptions:
    """Places of one client in a copy of the stream."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        self._places: dict[Channel, Place] = {}
        self._epoch = ""
        self._gaps: list[str] = []

    def add(self, asked: Subscribe, copy: Copy) -> str:
        """Follow channels; the answer to the client. Raises `ForbiddenError` before anything is followed."""
        for channel in asked.channels:
            self._principal.require(NEEDS[channel])
        self._arrive(copy)
        for channel, wanted in asked.channels.items():
            begin, last = self._begin(channel, wanted, asked.epoch, copy), copy.logs[channel].last
            self._places[channel] = Place(begin, frozenset(wanted.symbols), last)
        return self.told("subscribed")

    def remove(self, channels: list[Channel]) -> str:
        """Follow channels no more; the answer to the client."""
        for channel in channels:
            self._places.pop(channel, None)
        return self.told("unsubscribed")

    def told(self, what: str) -> str:
        """Say which channels are followed, from behind which number on."""
        places = {channel.value: place.seq for channel, place in self._places.items()}
        return message(what, epoch=self._epoch, channels=places)

    def behind(self, copy: Copy | None, *, since_it_came: bool = False) -> int:
        """Return how many events of the copy were not looked at yet, in the channel where that is most.

        `since_it_came` leaves out what happened before the client followed the channel: to come back late is allowed.
        """
        if copy is None or copy.epoch != self._epoch:
            return 0
        begins = {c: max(place.seq, place.past) if since_it_came else place.seq for c, place in self._places.items()}
        return max((copy.logs[channel].last - begin for channel, begin in begins.items()), default=0)

    def take(self, copy: Copy) -> list[str]:
        """Take the next messages, about as many as fit a frame; none where there is no news for this client."""
        self._arrive(copy)
        found, self._gaps = self._gaps, []
        room = FRAME
        for channel, place in self._places.items():
            events, lost = copy.logs[channel].after(place.seq, MOST_IN_A_FRAME)
            if lost:
                found.append(_gap(channel, "too_old", place.seq, lost))
                place.seq += lost
            for event in events:
                if room <= 0:
                    return found
                place.seq = event.seq
                if self._sees(event, place):
                    found.append(event.news.data)
                    room -= len(found[-1])
        return found

    def _arrive(self, copy: Copy) -> None:
        """Notice another epoch: what happened between is not known, and its events are followed from the first."""
        if self._epoch != copy.epoch:
            for channel, place in self._places.items():
                self._gaps.append(_gap(channel, "restarted", place.seq, None))
                place.seq, place.past = 0, copy.logs[channel].last
            self._epoch = copy.epoch

    def _begin(self, channel: Channel, wanted: Wanted, epoch: str, copy: Copy) -> int:
        last = copy.logs[channel].last
        if wanted.after is None:
            return last
        if epoch and epoch != copy.epoch:
            self._gaps.append(_gap(channel, "restarted", wanted.after, None))
            return 0
        return min(wanted.after, last)

    def _sees(self, event: Event, place: Place) -> bool:
        told = event.news
        if place.symbols and told.symbol not in place.symbols:
            return False
        if told.account and not self._principal.may(NEEDS[told.channel], told.account):
            return False
        if told.channel is Channel.JOBS:
            return self._principal.reaches(Owned.JOBS, told.owner)
        return not told.owner or self._principal.reaches(Owned.RUNS, told.owner)


def message(kind: str, **fields: Any) -> str:
    """Write a message to a client."""
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


def _gap(channel: Channel, why: str, after: int, lost: int | None) -> str:
    """Say that events after a number are lost; how many is not known across epochs."""
    return message("gap", channel=channel.value, reason=why, after=after, lost=lost)
