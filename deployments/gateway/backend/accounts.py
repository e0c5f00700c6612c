"""Live accounts as the routes ask for them: typed calls, wherever the account lives.

`Accounts` is what the gateway needs; `ActorAccounts` answers through the accounts' actors. Errors of an account
arrive as themselves, without the traceback of the process where they arose.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from ray.exceptions import RayTaskError
from ray.util import list_named_actors

from actors.cluster import NAMESPACE
from actors.live_account import actor_name
from actors.live_handle import LiveHandle
from deployments.gateway.afterwards import finish
from deployments.gateway.observability.tracing import ORDER, add_steps, call_span
from deployments.gateway.problems import NotFoundError
from nt_ray.errors import NeuralTraderError
from nt_ray.trader.called import CHANGING, ORDERING
from nt_ray.trader.history import Changes, Family
from nt_ray.trader.live_readings import Activity, ActivityQuery, EquityCurve, OrderQuery
from nt_ray.trader.overview import Overview
from nt_ray.trader.reports import OrderReport
from nt_ray.trading.orders import OrderRequest

PATIENCE_S = 15.0
"""How long an account that is away is waited for."""


class Call(Protocol):
    """Calls a method of one live account."""

    async def __call__(self, method: str, *arguments: object) -> Any:
        """Return its answer, or raise its error."""
        ...


class AccountDoor:
    """One live account."""

    def __init__(self, name: str, call: Call, glance: Call | None = None) -> None:
        self.name = name
        self._call = call
        self._glance = glance or call

    async def overview(self) -> Overview:
        """Return the account at a glance."""
        found: Overview = await self._call("overview")
        return found

    async def look_up(self, id_or_name: str) -> Family | None:
        """Return an order with its legs; None where there is none."""
        found: Family | None = await self._call("look_up", id_or_name)
        return found

    async def query(self, query: OrderQuery) -> list[Family]:
        """List orders."""
        found: list[Family] = await self._call("query", query)
        return found

    async def submit(self, requests: Sequence[OrderRequest]) -> list[OrderReport]:
        """Pass orders through gate, journal and venue."""
        found: list[OrderReport] = await self.call("submit", list(requests))
        return found

    async def place(self, requests: Sequence[OrderRequest]) -> tuple[list[OrderReport], Family | None]:
        """Pass orders through gate, journal and venue, and look the first one up."""
        found: tuple[list[OrderReport], Family | None] = await self.call("place", list(requests))
        return found

    async def replace(self, request: OrderRequest) -> OrderReport:
        """Put an order in the place of another."""
        found: OrderReport = await self.call("replace", request)
        return found

    async def cancel(self, client_order_id: str) -> OrderReport:
        """Ask the venue to cancel an order."""
        found: OrderReport = await self.call("cancel", client_order_id)
        return found

    async def cancel_all(self) -> list[OrderReport]:
        """Ask the venue to cancel every open order."""
        found: list[OrderReport] = await self.call("cancel_all")
        return found

    async def changes(self, after: int, wait_s: float) -> Changes:
        """Return changes of orders after a number, waiting for one; a negative number: where the account stands."""
        found: Changes = await self._call("changes", after, wait_s)
        return found

    async def activities(self, query: ActivityQuery) -> list[Activity]:
        """List executions and bookings."""
        found: list[Activity] = await self._call("activities", query)
        return found

    async def worth(self, start: datetime, end: datetime, *, by_day: bool) -> EquityCurve:
        """Return the equity by minute or by day."""
        found: EquityCurve = await self._call("worth", start, end, by_day)
        return found

    async def call(self, method: str, *arguments: object) -> Any:
        """Call any method of a live account; what changes something is done for the request under way, and traced.

        Once asked for it is done, though the caller may hang up: above all a kill switch.
        """
        if method not in ORDERING | CHANGING:
            return await self._call(method, *arguments)
        name, door = (ORDER, "order_within") if method in ORDERING else (f"account.{method}", "within")

        async def done() -> Any:
            with call_span(name, {"account": self.name}) as here:
                found, steps = await self._call(door, here, method, *arguments)
                add_steps(steps)
            return found

        return await finish(done())

    async def glance(self, method: str, *arguments: object) -> Any:
        """Call a method that reads, once: an account that is away is not waited for."""
        return await self._glance(method, *arguments)


class Accounts(Protocol):
    """The live accounts of the platform."""

    async def names(self) -> list[str]:
        """Names of those that run."""
        ...

    def account(self, name: str) -> AccountDoor:
        """One by its name, whether it runs or not."""
        ...


class ActorAccounts:
    """Live accounts by their actors; an instance belongs to one event loop.

    One that is `expected`, or was there a moment ago, is waited for where it is away; any other one is not there.
    """

    def __init__(self, patience_s: float = PATIENCE_S, expected: Iterable[str] = ()) -> None:
        self._patience_s = patience_s
        self._expected = frozenset(expected)
        self._doors: dict[str, AccountDoor] = {}

    async def names(self) -> list[str]:
        """Names of accounts whose actors have been started."""
        return await asyncio.to_thread(names_now)

    def account(self, name: str) -> AccountDoor:
        """One by its name."""
        door = self._doors.get(name)
        if door is None:
            handle = LiveHandle(name, self._patience_s)

            async def ask(method: str, *arguments: object) -> Any:
                if name not in self._expected and not handle.knows():
                    self._doors.pop(name, None)
                    raise NotFoundError(f"There is no account {name[:64]}. List the accounts to see which there are.")
                return await handle.ask(method, *arguments)

            door = self._doors[name] = AccountDoor(name, _caller(ask), _caller(handle.glance))
        return door


def names_now() -> list[str]:
    """Name the accounts whose actors have been started; asks the head node, and waits."""
    prefix = actor_name("")
    listed = list_named_actors(all_namespaces=True)
    named = [found["name"] for found in listed if found["namespace"] == NAMESPACE]
    return sorted(name.removeprefix(prefix) for name in named if name.startswith(prefix))


def _caller(ask: Call) -> Call:
    async def call(method: str, *arguments: object) -> Any:
        try:
            return await ask(method, *arguments)
        except RayTaskError as error:
            if isinstance(error.cause, NeuralTraderError):
                raise error.cause from None
            raise

    return call
