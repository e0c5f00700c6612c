"""Where the stream's news come from: live accounts and the keeper of jobs, each asked for what came after the last.

Accounts are found by their actors' names as they come and go. An account tells its changes of orders, which become the
channels `orders` and `fills`; its marks and its money are looked at regularly and told when they have changed, as
`quotes` and `risk`. What happened before the stream began is not told. Whoever does not answer is asked again later,
and holds up nobody.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import ray
from ray.exceptions import RayError
from ray.util import list_named_actors

from actors import jobs
from actors.cluster import NAMESPACE
from actors.live_account import actor_name
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.event_stream import Channel, EventStream, News, news
from nt_ray.trader.history import Change, Changes
from nt_ray.trader.overview import Overview

LOOK_S: Final = 2.0
"""Seconds between two looks for new accounts."""
GLANCE_S: Final = 1.0
"""Seconds between two looks at an account's marks and money."""
RECENT: Final = 500
"""Events of jobs that are looked through when their keeper is found."""
WAIT_S: Final = 20.0
PAUSE_S: Final = 1.0

_log = logging.getLogger(__name__)


class Feeds:
    """All feeds of one stream."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self._since = datetime.now(UTC)
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._looking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to ask."""
        self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        """Follow whoever has come, leave whoever has gone."""
        while True:
            found = await asyncio.to_thread(_followed)
            for name in found - self._tasks.keys():
                self._tasks[name] = [asyncio.create_task(work) for work in self._works(name)]
            for name in self._tasks.keys() - found:
                for task in self._tasks.pop(name):
                    task.cancel()
            await asyncio.sleep(LOOK_S)

    def _works(self, name: str) -> list[Any]:
        if name == jobs.NAME:
            return [self._again(name, JobFeed(self._stream, self._since).follow)]
        feed = AccountFeed(self._stream, name, self._since)
        return [self._again(name, feed.follow), self._again(name, feed.glance)]

    async def _again(self, name: str, work: Callable[[Any], Awaitable[None]]) -> None:
        """Ask without end; an actor that has died is found again by its name."""
        while True:
            try:
                actor: Any = ray.get_actor(name, NAMESPACE)
                while True:
                    await work(actor)
            except (RayError, NeuralTraderError, ValueError) as error:
                _log.info("%s cannot be followed now: %s", name, error)
                await asyncio.sleep(PAUSE_S)


class AccountFeed:
    """News of one live account."""

    def __init__(self, stream: EventStream, actor: str, since: datetime) -> None:
        self._stream = stream
        self._name = actor.removeprefix(actor_name(""))
        self._since = since
        self._after = 0
        self._marks: dict[str, str] = {}
        self._money: dict[str, Any] = {}

    async def follow(self, actor: Any) -> None:
        """Tell what happened to orders since the last time."""
        found: Changes = await actor.changes.remote(self._after, WAIT_S)
        self._after = found.last
        fresh = (change for change in found.changes if change.time >= self._since)
        self._stream.publish(one for change in fresh for one in _of_change(self._name, change))

    async def glance(self, actor: Any) -> None:
        """Tell marks and money that have changed."""
        found: Overview = await actor.overview.remote()
        marks = {h.symbol: f"{h.mark:f}" for h in found.holdings if h.mark is not None}
        told = [
            news(Channel.QUOTES, found.time, {"price": price, "kind": "mark"}, symbol=symbol, account=self._name)
            for symbol, price in marks.items()
            if self._marks.get(symbol) != price
        ]
        money = _money(found)
        if money != self._money:
            told.append(news(Channel.RISK, found.time, money, account=self._name))
        self._marks, self._money = marks, money
        self._stream.publish(told)
        await asyncio.sleep(GLANCE_S)


class JobFeed:
    """News of the keeper of jobs."""

    def __init__(self, stream: EventStream, since: datetime) -> None:
        self._stream = stream
        self._since = since
        self._after: int | None = None

    async def follow(self, actor: Any) -> None:
        """Tell what happened to jobs since the last time."""
        if self._after is None:
            # What happened between the stream's beginning and this moment is among the newest events.
            self._after = max(0, await actor.last_event.remote() - RECENT)
        found = await actor.events.remote(self._after, None, WAIT_S)
        told: list[News] = []
        for event in found:
            self._after = event.seq
            if datetime.fromisoformat(event.time) < self._since:
                continue
            data = {"job": event.job, "number": event.seq, "kind": event.kind, **event.data}
            told.append(news(Channel.JOBS, datetime.fromisoformat(event.time), data))
        self._stream.publish(told)


def _followed() -> set[str]:
    """Names of the actors that have news."""
    named = {found["name"] for found in list_named_actors(all_namespaces=True) if found["namespace"] == NAMESPACE}
    return {name for name in named if name == jobs.NAME or name.startswith(actor_name(""))}


def _of_change(account: str, change: Change) -> list[News]:
    order = change.family.record.order
    request = order.request
    about = {"account": account, "symbol": request.symbol}
    data: dict[str, Any] = {
        "number": change.number,
        "event": change.event,
        "account": account,
        "symbol": request.symbol,
        "client_order_id": request.client_order_id,
        "strategy": request.strategy,
        "side": request.side.value,
        "quantity": f"{request.quantity:f}",
        "filled": f"{order.filled_quantity:f}",
        "status": order.status.value,
    }
    told = [news(Channel.ORDERS, change.time, data, **about)]
    if change.fill is not None:
        fill = change.fill
        data = {
            "number": change.number,
            "account": account,
            "symbol": request.symbol,
            "client_order_id": request.client_order_id,
            "strategy": request.strategy,
            "side": request.side.value,
            "quantity": f"{fill.quantity:f}",
            "price": f"{fill.price:f}",
            "position": None if change.position is None else f"{change.position:f}",
        }
        told.append(news(Channel.FILLS, change.time.astimezone(UTC), data, **about))
    return told


def _money(found: Overview) -> dict[str, Any]:
    gross = sum((abs(h.value) for h in found.holdings), start=0 * found.equity)
    return {
        "account": found.name,
        "equity": f"{found.equity:f}",
        "cash": f"{found.cash:f}",
        "day_start_equity": f"{found.day_start_equity:f}",
        "gross": f"{gross:f}",
        "buying_power": f"{found.buying_power:f}",
        "halts": found.halts,
        "breaker": list(found.breaker),
    }
