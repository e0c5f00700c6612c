"""Where the stream's news come from: live accounts and the keeper of jobs, each asked for what came after the last.

Accounts are found by their actors' names as they come and go. An account tells its changes of orders, which become the
channels `orders` and `fills`; its prices and its money are looked at regularly and told when they have changed, as
`quotes` and `risk`, and the newest finished bars of its symbols once each, as `bars`. How far somebody was asked is
written with what he told, so a stream that begins again misses nothing; of whoever is met for the first time, what
happened before `since` is not told. Whoever does not answer is asked again later, and holds up nobody.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import ray
from ray.exceptions import RayError
from ray.util import list_named_actors

from actors import jobs
from actors.cluster import NAMESPACE
from actors.live_account import actor_name
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.bar_reading import of_symbols
from nt_ray.trader.event_stream import Channel, News, news
from nt_ray.trader.history import Change, Changes
from nt_ray.trader.kept_stream import KeptStream
from nt_ray.trader.overview import Overview
from nt_ray.trader.price import Price, Top

LOOK_S: Final = 2.0
"""Seconds between two looks for new accounts."""
GLANCE_S: Final = 1.0
"""Seconds between two looks at an account's prices and money."""
TOPS_S: Final = 5.0
"""Seconds between two questions for what is bid and asked."""
BARS_S: Final = 15.0
"""Seconds between two questions for an account's bars."""
RECENT: Final = 500
"""Events of jobs that are looked through when their keeper is found."""
WAIT_S: Final = 20.0
PAUSE_S: Final = 1.0

_log = logging.getLogger(__name__)

Work = Callable[[Any], Awaitable[None]]


class Feeds:
    """All feeds of one stream; `since`: when the last of it was told before."""

    def __init__(self, stream: KeptStream, since: datetime | None = None) -> None:
        self._stream = stream
        self._since = since or datetime.now(UTC)
        self._tasks: dict[str, list[tuple[Work, asyncio.Task[None]]]] = {}
        self._looking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin to ask."""
        self._looking = asyncio.get_running_loop().create_task(self._look())

    def end(self) -> None:
        """Ask nobody any more."""
        if self._looking is not None:
            self._looking.cancel()
        for name in list(self._tasks):
            self._leave(name)

    async def _look(self) -> None:
        """Follow whoever has come, leave whoever has gone."""
        while True:
            try:
                self._follow(await asyncio.to_thread(_followed))
            except RayError as error:
                _log.warning("Nobody new can be followed now: %s", error)
            except Exception:  # noqa: BLE001 the boundary of a task: whatever ends one look, the next one finds them
                _log.exception("Nobody new could be followed")
            await asyncio.sleep(LOOK_S)

    def _follow(self, found: set[str]) -> None:
        for name in self._tasks.keys() - found:
            self._leave(name)
        for name in found:
            known = self._tasks.get(name)
            if known is None:
                self._tasks[name] = [(work, self._begun(name, work)) for work in self._works(name)]
            else:
                self._tasks[name] = [(work, self._kept(name, work, task)) for work, task in known]

    def _leave(self, name: str) -> None:
        for _, task in self._tasks.pop(name):
            task.cancel()

    def _begun(self, name: str, work: Work) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._again(name, work))

    def _kept(self, name: str, work: Work, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """The task, or another in its place where it broke off for a reason that nobody foresaw."""
        if not task.done():
            return task
        _log.error("%s could not be followed on", name, exc_info=task.exception())
        return self._begun(name, work)

    def _works(self, name: str) -> list[Work]:
        if name == jobs.NAME:
            return [JobFeed(self._stream, self._since).follow]
        feed = AccountFeed(self._stream, name, self._since)
        return [feed.follow, feed.glance, feed.tops, feed.bars]

    async def _again(self, name: str, work: Work) -> None:
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

    def __init__(self, stream: KeptStream, actor: str, since: datetime) -> None:
        places = stream.places
        self._stream = stream
        self._actor = actor
        self._name = actor.removeprefix(actor_name(""))
        self._since: datetime | None = None if actor in places else since
        self._after = int(places.get(actor, 0))
        self._told: dict[str, str] = json.loads(places.get(f"bars/{self._name}", "{}"))
        """Time of the last bar by symbol."""
        self._prices: dict[str, dict[str, str | None]] = {}
        self._money: dict[str, Any] = {}
        self._tops: Mapping[str, Top] = {}

    async def follow(self, actor: Any) -> None:
        """Tell what happened to orders since the last time."""
        found: Changes = await actor.changes.remote(self._after, WAIT_S)
        if found.last < self._after:
            # Its journal has begun anew.
            self._after = 0
            return
        since = self._since
        fresh = [change for change in found.changes if since is None or change.time >= since]
        lost = {} if since is not None or not found.lost else dict.fromkeys(_OF_ORDERS, found.lost)
        if found.last > self._after or since is not None:
            told = [one for change in fresh for one in _of_change(self._name, change)]
            await self._stream.publish(told, {self._actor: str(found.last)}, lost)
        self._since, self._after = None, found.last

    async def glance(self, actor: Any) -> None:
        """Tell prices and money that have changed."""
        found: Overview = await actor.overview.remote()
        prices = _prices(found, await actor.quotes.remote(), self._tops)
        now = datetime.now(UTC)
        told = [
            news(Channel.QUOTES, now, price, symbol=symbol, account=self._name)
            for symbol, price in prices.items()
            if self._prices.get(symbol) != price
        ]
        money = _money(found)
        if money != self._money:
            told.append(news(Channel.RISK, found.time, money, account=self._name))
        if told:
            await self._stream.publish(told)
        self._prices, self._money = prices, money
        await asyncio.sleep(GLANCE_S)

    async def tops(self, actor: Any) -> None:
        """Ask what is bid and asked; the next glance tells it. What the venue does not say now is not told."""
        try:
            self._tops = await actor.tops.remote()
        except (RayError, NeuralTraderError):
            self._tops = {}
            raise
        await asyncio.sleep(TOPS_S)

    async def bars(self, actor: Any) -> None:
        """Tell bars that have come since the last time."""
        found = of_symbols(await actor.bars.remote(), self._told)
        if found:
            now = datetime.now(UTC)
            last = self._told | {bar.symbol: bar.time.isoformat() for bar in found}
            told = [bar.news(now, self._name, self._name) for bar in found]
            await self._stream.publish(told, {f"bars/{self._name}": json.dumps(last)})
            self._told = last
        await asyncio.sleep(BARS_S)


class JobFeed:
    """News of the keeper of jobs."""

    def __init__(self, stream: KeptStream, since: datetime) -> None:
        self._stream = stream
        self._since = since
        self._place = stream.places.get(jobs.NAME)
        self._after: int | None = None

    async def follow(self, actor: Any) -> None:
        """Tell what happened to jobs since the last time."""
        after = self._after if self._after is not None else await self._begin(actor)
        found = await actor.events.remote(after, None, WAIT_S)
        told: list[News] = []
        for event in found:
            time = datetime.fromisoformat(event.time)
            if self._place is not None or time >= self._since:
                data = {**event.data, "job": event.job, "number": event.seq, "kind": event.kind}
                told.append(news(Channel.JOBS, time, data, owner=event.owner))
        if found:
            after = found[-1].seq
            await self._stream.publish(told, {jobs.NAME: str(after)})
            self._place = str(after)
        self._after = after

    async def _begin(self, actor: Any) -> int:
        """Number to go on after: what happened between the stream's beginning and now is among the newest events."""
        last = int(await actor.last_event.remote())
        if self._place is not None and int(self._place) <= last:
            return int(self._place)
        self._place = None
        return max(0, last - RECENT)


_OF_ORDERS: Final = (Channel.ORDERS, Channel.FILLS)


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


def _prices(found: Overview, quoted: Mapping[str, Price], tops: Mapping[str, Top]) -> dict[str, dict[str, str | None]]:
    """Last trades of every symbol that the venue tells them of, marks of what is held beside those, and quotes."""
    prices: dict[str, dict[str, str | None]] = {
        h.symbol: {"price": f"{h.mark:f}", "kind": "mark"} for h in found.holdings if h.mark is not None
    }
    for symbol, price in quoted.items():
        prices[symbol] = {"price": f"{price.value:f}", "kind": "trade", "at": price.time.isoformat()}
    return {symbol: told | _quote(tops[symbol]) if symbol in tops else told for symbol, told in prices.items()}


def _quote(top: Top) -> dict[str, str | None]:
    sides = {"bid": top.bid, "ask": top.ask, "bid_size": top.bid_size, "ask_size": top.ask_size}
    told = {name: None if value is None else f"{value:f}" for name, value in sides.items()}
    return {**told, "quoted_at": top.time.isoformat()}


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
