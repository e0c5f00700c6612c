"""Live accounts as the routes ask for them: typed calls, wherever the account lives.

`Accounts` is what the gateway needs; `ActorAccounts` answers through the accounts' actors. Errors of an account
arrive as themselves, without the traceback of the process where they arose.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from ray.exceptions import RayTaskError
from ray.util import list_named_actors

from actors.cluster import NAMESPACE
from actors.live_account import actor_name
from actors.live_handle import LiveHandle
from deployments.gateway.observability.tracing import add_steps, order_span
from nt_ray.errors import NeuralTraderError
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

    def __init__(self, name: str, call: Call) -> None:
        self.name = name
        self._call = call

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
        found: list[OrderReport]
        with order_span({"account": self.name, "orders": len(requests)}) as is_traced:
            if is_traced:
                found, steps = await self._call("submit_timed", list(requests))
                add_steps(steps)
            else:
                found = await self._call("submit", list(requests))
        return found

    async def replace(self, request: OrderRequest) -> OrderReport:
        """Put an order in the place of another."""
        found: OrderReport = await self._call("replace", request)
        return found

    async def cancel(self, client_order_id: str) -> OrderReport:
        """Ask the venue to cancel an order."""
        found: OrderReport = await self._call("cancel", client_order_id)
        return found

    async def cancel_all(self) -> list[OrderReport]:
        """Ask the venue to cancel every open order."""
        found: list[OrderReport] = await self._call("cancel_all")
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
        """Call any other method of a live account."""
        return await self._call(method, *arguments)


class Accounts(Protocol):
    """The live accounts of the platform."""

    async def names(self) -> list[str]:
        """Names of those that run."""
        ...

    def account(self, name: str) -> AccountDoor:
        """One by its name, whether it runs or not."""
        ...


class ActorAccounts:
    """Live accounts by their actors; an instance belongs to one event loop."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._doors: dict[str, AccountDoor] = {}

    async def names(self) -> list[str]:
        """Names of accounts whose actors have been started."""
        prefix = actor_name("")
        named = [found["name"] for found in list_named_actors(all_namespaces=True) if found["namespace"] == NAMESPACE]
        return sorted(name.removeprefix(prefix) for name in named if name.startswith(prefix))

    def account(self, name: str) -> AccountDoor:
        """One by its name."""
        door = self._doors.get(name)
        if door is None:
            door = self._doors[name] = AccountDoor(name, _caller(LiveHandle(name, self._patience_s)))
        return door


def _caller(handle: LiveHandle) -> Call:
    async def call(method: str, *arguments: object) -> Any:
        try:
            return await handle.ask(method, *arguments)
        except RayTaskError as error:
            if isinstance(error.cause, NeuralTraderError):
                raise error.cause from None
            raise

    return call
