"""`/strategies`: what strategies there are, and which of them trade an account.

Starting one begins a live session (`nt_ray.trader.live_session`), which trades the account's symbols on each finished
bar; stopping it ends its sessions there. In an account a strategy is whoever signs its orders by name, so stopping also
sets its kill switch, which cancels what it has open and refuses its orders, whoever sends them, until it is started
again. Switching does both for two, the old one first, so there is no moment at which both trade. Positions stay, unless
they are to be closed.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from deployments.gateway.afterwards import finish
from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.backend.platform import Platform
from deployments.gateway.backend.platform import Trading as Traded
from deployments.gateway.platform.accounts import AccountName, running
from deployments.gateway.platform.paging import Cursor, Limit, Next, cursor_of, number_at
from deployments.gateway.platform.replies import Body, answered, problems, replied
from deployments.gateway.problems import GatewayError
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.strategies.base import Strategy
from nt_ray.strategies.order_step import OrderStrategy
from nt_ray.strategies.registry import ORDER_NAMES, find, find_orders, plain
from nt_ray.trader.jobs.spec import MOST_SYMBOLS, Parameters, Symbol
from nt_ray.trader.live_session import SessionStatus
from nt_ray.trader.session_keeper import SessionRequest, plain_status
from nt_ray.trader.signed import StrategyRecord

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
    next: Next = None


class Switch(Body):
    """Where a strategy is to be started or stopped, and why."""

    account: AccountName
    reason: Reason = Field(examples=["drawdown of the month"])


class Trading(Switch):
    """What a strategy is to trade, and how."""

    symbols: list[Symbol] = Field([], max_length=MOST_SYMBOLS, description="Empty takes all that the account trades.")
    parameters: Parameters = Field({}, description="Those left out have their defaults.")

    def asked(self, strategy: str) -> SessionRequest:
        """Session of a strategy."""
        return SessionRequest(self.account, strategy, tuple(self.symbols), dict(self.parameters))


class Stop(Switch):
    """Where a strategy is to be stopped."""

    flatten: bool = Field(False, description="Whether its sessions close the positions in their symbols.")


class Exchange(Trading):
    """Which strategy takes the place of another."""

    to: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class SessionOrder(Body):
    """An order of a session's last bar."""

    client_order_id: str
    symbol: str
    side: str
    quantity: str
    status: str
    rule: str
    reason: str


class SessionView(Body):
    """A strategy that trades an account by itself."""

    session: str
    account: str
    strategy: str
    symbols: list[str]
    parameters: dict[str, float]
    phase: str = Field(description="running; closing while positions are closed; ended.")
    condition: str = Field(
        description="What the last look came to: beginning, traded, late (no bar that is due), halted, in_doubt, "
        "failed, closing or ended."
    )
    sentence: str = Field(description="The same in words.")
    bar: str = Field(description="Last bar that was decided.")
    looked_at: str | None
    missing: list[str] = Field(description="Symbols without a price at the last bar: what is held of them stays.")
    orders: list[SessionOrder] = Field(description="Orders of that bar, as they were last heard of.")
    who: str
    reason: str
    started: str


class StrategyHealth(Body):
    """A strategy in an account: whether it may trade, and what it has done there."""

    strategy: str
    account: str
    stopped: bool = Field(description="Whether its own kill switch is set.")
    why: str | None = Field(description="Who stopped it and why.")
    held_up_by: list[str] = Field(description="What else keeps it from opening positions: other switches, the breaker.")
    open_orders: int
    orders: int = Field(description="Orders of its own that the account has ever taken or denied.")
    denied: int = Field(description="Those that the gate denied.")
    executions: int
    realised: str = Field(description="Realised profit of its executions, exact, in the account's currency.")
    last_order: str | None = Field(description="When it last sent one.")
    sessions: list[SessionView] = Field(description="Its live sessions there.")


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/strategies", tags=["strategies"])

    @routes.get("", response_model=StrategyList, responses=problems(), summary="List strategies")
    def listed(
        _: Annotated[Principal, needs(Scope.STRATEGIES_READ)], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        found, before = strategies_of().strategies, number_at("strategies", cursor) or 0
        more = cursor_of("strategies", before + limit) if len(found) > before + limit else None
        return replied(StrategyList(strategies=found[before : before + limit], next=more))

    @routes.get("/{name}", response_model=StrategyView, responses=problems(404), summary="Show a strategy")
    def show(_: Annotated[Principal, needs(Scope.STRATEGIES_READ)], name: StrategyName) -> Response:
        return replied(strategy_of(name))

    @routes.get(
        "/{name}/health", response_model=StrategyHealth, responses=problems(404), summary="Is it allowed to trade?"
    )
    async def health(
        principal: Annotated[Principal, needs(Scope.STRATEGIES_READ)],
        name: StrategyName,
        account: Annotated[AccountName, Query()],
    ) -> Response:
        principal.require(Scope.STRATEGIES_READ, account)
        return replied(await _health(platform, account, name))

    @routes.post("/{name}/stop", response_model=StrategyHealth, responses=problems(404, 409), summary="Stop it")
    async def stop(
        principal: Annotated[Principal, needs(Scope.STRATEGIES_WRITE)], name: StrategyName, body: Stop
    ) -> Response:
        principal.require(Scope.STRATEGIES_WRITE, body.account)
        if body.flatten:
            principal.require(Scope.TRADING_WRITE, body.account)
        door = await running(platform, body.account)
        # First what passes the gate for all, then those who send it; closing orders bear another name.
        await _halted(door, name, principal, body.reason)
        for told in await _sessions(platform, body.account, name):
            await platform.sessions.stop(told.session.id, flatten=body.flatten)
        return answered(await _health(platform, body.account, name))

    @routes.post(
        "/{name}/start", response_model=StrategyHealth, responses=problems(404, 409), summary="Let it trade an account"
    )
    async def start(
        principal: Annotated[Principal, needs(Scope.STRATEGIES_WRITE, Scope.TRADING_WRITE)],
        name: StrategyName,
        body: Trading,
    ) -> Response:
        return answered(await started(platform, principal, name, body))

    @routes.post(
        "/{name}/switch", response_model=StrategyHealth, responses=problems(404, 409), summary="Let another take over"
    )
    async def switch(
        principal: Annotated[Principal, needs(Scope.STRATEGIES_WRITE, Scope.TRADING_WRITE)],
        name: StrategyName,
        body: Exchange,
    ) -> Response:
        return answered(await switched(platform, principal, name, body))

    return routes


def strategies_of() -> StrategyList:
    """List the strategies of the platform."""
    from nt_ray.strategies.registry import ORDER_STRATEGIES, STRATEGIES

    known: tuple[Strategy | OrderStrategy, ...] = (*STRATEGIES, *ORDER_STRATEGIES)
    return StrategyList(strategies=[_view(strategy) for strategy in known])


def strategy_of(name: str) -> StrategyView:
    """Show a strategy by its name or alias."""
    return _view(_found(name))


async def started(platform: Traded, principal: Principal, name: str, body: Trading) -> StrategyHealth:
    """Let a strategy trade an account."""
    door, lifted = await _begins(platform, principal, body, name)
    asked = body.asked(name)
    await platform.sessions.check(asked)
    await _let(door, lifted, principal, body, lambda: platform.sessions.start(asked, principal.id, body.reason))
    return await _health(platform, body.account, name)


async def switched(platform: Traded, principal: Principal, name: str, body: Exchange) -> StrategyHealth:
    """Stop a strategy in an account, and let another one trade it."""
    if plain(name) == plain(body.to):
        raise SameStrategyError(body.to)
    door, lifted = await _begins(platform, principal, body, body.to)
    asked = body.asked(body.to)
    await platform.sessions.check(asked, instead_of=name)
    await _halted(door, name, principal, body.reason)
    sessions = platform.sessions
    await _let(door, lifted, principal, body, lambda: sessions.switch(asked, name, principal.id, body.reason))
    return await _health(platform, body.account, body.to)


class SameStrategyError(GatewayError):
    """A strategy that is to take its own place."""

    code = "same_strategy"
    status = 422

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} cannot take over from itself. Name another strategy in `to`.")


async def _begins(platform: Traded, principal: Principal, body: Trading, name: str) -> tuple[AccountDoor, list[str]]:
    """Account where somebody may let a strategy trade, and its kill switches that he may lift."""
    for scope in (Scope.STRATEGIES_WRITE, Scope.TRADING_WRITE):
        principal.require(scope, body.account)
    door = await running(platform, body.account)
    scopes = [scope for scope in (await door.overview()).halts if _is_of(scope, name)]
    if scopes:
        # A switch may be the gate's own, or an admin's: who works with strategies sets it, and does not lift it.
        principal.require(Scope.KILL, body.account)
    return door, scopes


async def _halted(door: AccountDoor, name: str, principal: Principal, reason: str) -> None:
    """Set the kill switch of a strategy, at once; then those of other letters that its orders are signed by."""
    await door.call("halt", [scope_of(name)], principal.id, reason)
    others = {f"strategy:{signed}" for signed in (await _record(door, name)).names} - {scope_of(name)}
    if others:
        await door.call("halt", sorted(others), principal.id, reason)


async def _let(
    door: AccountDoor, scopes: list[str], principal: Principal, body: Switch, begin: Callable[[], Awaitable[object]]
) -> None:
    """Lift kill switches and let a strategy begin; where it does not they are set again.

    A switch that was set since somebody was asked whether he may lift it stays.
    """

    async def begun() -> None:
        has_begun = False
        try:
            if scopes:
                await door.call("resume", scopes, principal.id, body.reason)
            await begin()
            has_begun = True
        finally:
            if scopes and not has_begun:
                await door.call("halt", scopes, principal.id, f"did not start: {body.reason}")

    # Who hangs up in between leaves no switch lifted.
    await finish(begun())


async def _sessions(platform: Traded, account: str, name: str) -> list[SessionStatus]:
    told = await platform.sessions.statuses(account)
    return [one for one in told if plain(one.session.plan.signature) == plain(name)]


def scope_of(strategy: str) -> str:
    """Kill switch of a strategy."""
    return f"strategy:{plain(strategy)}"


def _is_of(scope: str, name: str) -> bool:
    kind, _, signed = scope.partition(":")
    return kind == "strategy" and plain(signed) == plain(name)


async def _record(door: AccountDoor, name: str) -> StrategyRecord:
    found: StrategyRecord = await door.call("of_strategy", name)
    return found


async def _health(platform: Traded, account: str, name: str) -> StrategyHealth:
    door = await running(platform, account)
    overview, record = await door.overview(), await _record(door, name)
    own = [why for scope, why in overview.halts.items() if _is_of(scope, name)]
    wider = [f"{scope}: {why}" for scope, why in overview.halts.items() if scope == "account" or scope[:6] == "venue:"]
    return StrategyHealth(
        strategy=plain(name),
        account=account,
        stopped=bool(own),
        why=own[0] if own else None,
        held_up_by=[*wider, *(f"breaker: {rule}" for rule in overview.breaker)],
        open_orders=record.open,
        orders=record.orders,
        denied=record.denied,
        executions=record.executions,
        realised=f"{record.realised:f}",
        last_order=None if record.last_order is None else record.last_order.isoformat(),
        sessions=[SessionView(**plain_status(told)) for told in await _sessions(platform, account, name)],
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
