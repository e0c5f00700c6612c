"""`/strategies`: what strategies there are, and whether they may trade in an account.

In an account a strategy is whoever signs its orders by name. Stopping one sets its kill switch, which cancels what it
has open and refuses its new orders until it is started again; switching does both for two, the old one first, so there
is no moment at which both trade.
"""

from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from deployments.gateway.backend.platform import Platform
from deployments.gateway.platform.accounts import AccountName, running
from deployments.gateway.platform.replies import Body, IdempotencyKey, done_once, problems, replied
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.order_step import OrderStrategy
from nt_ray.strategies.registry import ORDER_NAMES, find, find_orders, plain
from nt_ray.trader.live_readings import OrderQuery

MOST_OPEN: Final = 10_000
"""Open orders that are looked at."""

StrategyName: TypeAlias = Annotated[
    str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", examples=["momentum"], description="Name or alias.")
]
Reason: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True, pattern=r"\S")
]


class ParameterView(Body):
    """One parameter of a strategy."""

    name: str
    default: float
    low: float
    high: float
    integer: bool
    description: str
    aliases: list[str]


class StrategyView(Body):
    """Everything that a strategy says of itself."""

    name: str
    gives: str = Field(description="targets, or orders, which the event simulator alone runs.")
    summary: str
    source: str
    symbols: int = Field(description="Symbols that it looks at together.")
    inputs: list[str] = Field(description="Fields that it reads beside the bars.")
    aliases: list[str]
    parameters: list[ParameterView]


class StrategyList(Body):
    """Strategies of the platform."""

    strategies: list[StrategyView]


class Switch(Body):
    """Where a strategy is to be started or stopped, and why."""

    account: AccountName
    reason: Reason = Field(examples=["drawdown of the month"])


class Exchange(Switch):
    """Which strategy takes the place of another."""

    to: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class StrategyHealth(Body):
    """A strategy in an account."""

    strategy: str
    account: str
    stopped: bool
    why: str | None = Field(description="Who stopped it and why.")
    open_orders: int


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/strategies", tags=["strategies"])

    @routes.get("", response_model=StrategyList, responses=problems(), summary="List strategies")
    def listed(request: Request, _: Annotated[Principal, needs(Scope.STRATEGIES_READ)]) -> Response:
        from nt_ray.strategies.registry import ORDER_STRATEGIES, STRATEGIES

        known: tuple[Strategy | OrderStrategy, ...] = (*STRATEGIES, *ORDER_STRATEGIES)
        return replied(request, StrategyList(strategies=[_view(strategy) for strategy in known]))

    @routes.get("/{name}", response_model=StrategyView, responses=problems(404), summary="Show a strategy")
    def show(request: Request, _: Annotated[Principal, needs(Scope.STRATEGIES_READ)], name: StrategyName) -> Response:
        return replied(request, _view(_found(name)))

    @routes.get(
        "/{name}/health", response_model=StrategyHealth, responses=problems(404), summary="Is it allowed to trade?"
    )
    async def health(
        request: Request,
        principal: Annotated[Principal, needs(Scope.STRATEGIES_READ)],
        name: StrategyName,
        account: Annotated[AccountName, Query()],
    ) -> Response:
        principal.require(Scope.STRATEGIES_READ, account)
        return replied(request, await _health(platform, account, name))

    @routes.post("/{name}/stop", response_model=StrategyHealth, responses=problems(404, 409), summary="Stop it")
    async def stop(
        request: Request,
        principal: Annotated[Principal, needs(Scope.STRATEGIES_WRITE)],
        name: StrategyName,
        body: Switch,
        key: IdempotencyKey = None,
    ) -> Response:
        return await turned(request, body, key, principal, [("halt", name)])

    @routes.post("/{name}/start", response_model=StrategyHealth, responses=problems(404, 409), summary="Start it again")
    async def start(
        request: Request,
        principal: Annotated[Principal, needs(Scope.STRATEGIES_WRITE)],
        name: StrategyName,
        body: Switch,
        key: IdempotencyKey = None,
    ) -> Response:
        return await turned(request, body, key, principal, [("resume", name)])

    @routes.post(
        "/{name}/switch", response_model=StrategyHealth, responses=problems(404, 409), summary="Let another take over"
    )
    async def switch(
        request: Request,
        principal: Annotated[Principal, needs(Scope.STRATEGIES_WRITE)],
        name: StrategyName,
        body: Exchange,
        key: IdempotencyKey = None,
    ) -> Response:
        return await turned(request, body, key, principal, [("halt", name), ("resume", body.to)])

    async def turned(
        request: Request, body: Switch, key: str | None, principal: Principal, steps: list[tuple[str, str]]
    ) -> Response:
        principal.require(Scope.STRATEGIES_WRITE, body.account)
        if any(method == "resume" for method, _ in steps):
            # A switch may be the gate's own, or an admin's: who works with strategies sets it, and does not lift it.
            principal.require(Scope.KILL, body.account)

        async def work() -> StrategyHealth:
            door = await running(platform, body.account)
            for method, name in steps:
                await door.call(method, scope_of(name), principal.id, body.reason)
            return await _health(platform, body.account, steps[-1][1])

        return await done_once(platform.jobs, request, principal, key, work)

    return routes


def scope_of(strategy: str) -> str:
    """Kill switch of a strategy."""
    return f"strategy:{plain(strategy)}"


async def _health(platform: Platform, account: str, name: str) -> StrategyHealth:
    door = await running(platform, account)
    why = (await door.overview()).halts.get(scope_of(name))
    orders = [family.record.order for family in await door.query(OrderQuery(status="open", limit=MOST_OPEN))]
    mine = [order for order in orders if plain(order.request.strategy) == plain(name)]
    return StrategyHealth(
        strategy=plain(name), account=account, stopped=why is not None, why=why, open_orders=len(mine)
    )


def _found(name: str) -> Strategy | OrderStrategy:
    if plain(name) in ORDER_NAMES:
        found = find_orders(name)
        if found is not None:
            return found
    return find(name)


def _view(strategy: Strategy | OrderStrategy) -> StrategyView:
    own: dict[str, Any] = {"gives": "orders", "source": "", "symbols": 1, "inputs": [], "aliases": []}
    if isinstance(strategy, Strategy):
        own = {"gives": "targets", "source": strategy.source, "symbols": strategy.width}
        own |= {"inputs": list(strategy.inputs), "aliases": list(strategy.aliases)}
    parameters = [
        ParameterView(
            name=p.name,
            default=p.default,
            low=p.low,
            high=p.high,
            integer=p.integer,
            description=p.description,
            aliases=list(p.aliases),
        )
        for p in strategy.parameters
    ]
    return StrategyView(name=strategy.name, summary=strategy.summary, parameters=parameters, **own)
