"""Tools about accounts at venues: what they hold, what they have traded, and orders that pass their gate."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

from pydantic import Field

from deployments.gateway.alpaca.orders import sent
from deployments.gateway.alpaca.schemas import ClientId, NewOrder
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.schema import Account, Figure, Input, Money, Output, Positive
from deployments.gateway.mcp.tool import tool
from deployments.gateway.mcp.twin import Twin
from deployments.gateway.platform.accounts import running
from nt_ray.access.roles import Scope
from nt_ray.errors import BadInputError, NeuralTraderError
from nt_ray.trader.reports import AccountState, OrderReport
from nt_ray.trading.orders import Fill, OrderStatus, Side

T = TypeVar("T")

PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
ASSISTANT: Final = "assistant"
Owner: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$", description="Strategy that owns the order."),
]


class OfAccount(Input):
    """Which account; all that the caller may see if left out."""

    account: Account | None = None


class PortfolioStatus(Output):
    """One account as it stands."""

    account: str
    time: datetime
    equity: Money
    cash: Money
    realised: Money
    commission: Money
    positions: dict[str, Money]
    open_orders: int
    orders: int
    fills: int
    denials: dict[str, int]
    halts: dict[str, str]
    breaker: tuple[str, ...]
    day_profit: Money
    drawdown: Figure = Field(description="From its highest equity; zero or negative.")


class Portfolios(Output):
    """Accounts at venues."""

    portfolios: tuple[PortfolioStatus, ...]
    silent: dict[str, str] = Field(description="Accounts that could not be read, and why.")


@tool(Category.TRADING, Scope.TRADING_READ)
def get_portfolio_status(call: Call, asked: OfAccount) -> Portfolios:
    """Show money, positions, orders, denials and stops of the accounts at venues."""
    found, silent = _each(call, asked.account, lambda name: portfolio(call.backend.state(name)))
    return Portfolios(portfolios=tuple(found), silent=silent)


def portfolio(state: AccountState) -> PortfolioStatus:
    """Answer with an account's state."""
    return PortfolioStatus(
        account=state.name,
        time=state.time,
        equity=state.equity,
        cash=state.cash,
        realised=state.realised,
        commission=state.commission,
        positions=state.positions,
        open_orders=state.open_orders,
        orders=state.order_count,
        fills=state.fill_count,
        denials=state.denials,
        halts=state.halts,
        breaker=state.breaker,
        day_profit=state.equity - state.day_start_equity,
        drawdown=float(state.equity / state.high_water - 1) if state.high_water > 0 else None,
    )


def _each(call: Call, account: str | None, read: Callable[[str], T]) -> tuple[list[T], dict[str, str]]:
    """Read the account that is named, or all that the caller may see; of those, one that fails stops no other."""
    if account is not None:
        return [read(account)], {}
    found: list[T] = []
    silent: dict[str, str] = {}
    for name in call.accounts():
        if not call.principal.may(Scope.TRADING_READ, name):
            continue
        try:
            found.append(read(name))
        except NeuralTraderError as error:
            silent[name] = str(error)
    return found, silent


class Analytics(OfAccount):
    """Of which account, over which time."""

    time_period: Literal["1h", "24h", "7d", "30d", "all"] = "24h"


class Execution(Output):
    """What was traded in a period."""

    account: str
    since: datetime | None
    orders: int
    by_status: dict[str, int]
    fill_rate: Figure = Field(description="Filled orders among those that the venue was sent; null where none was.")
    executions: int
    buys: int
    sells: int
    volume: Money
    commission: Money
    average_execution: Money | None
    median_seconds_to_fill: Figure = Field(description="From an order's way to the venue to its first execution.")


class Executions(Output):
    """Executions by account."""

    accounts: tuple[Execution, ...]
    silent: dict[str, str] = Field(description="Accounts that could not be read, and why.")


@tool(Category.TRADING, Scope.TRADING_READ, {"time_period": "all"})
def get_execution_analytics(call: Call, asked: Analytics) -> Executions:
    """Count orders, executions, volume and commissions of accounts in a period, and how fast orders were filled."""
    period = PERIODS.get(asked.time_period)
    since = None if period is None else datetime.now(UTC) - period
    found, silent = _each(call, asked.account, lambda name: _execution(call, name, since))
    return Executions(accounts=tuple(found), silent=silent)


def _execution(call: Call, account: str, since: datetime | None) -> Execution:
    orders = [
        o for o in call.backend.orders(account)
        if since is None or (o.submitted_at is not None and o.submitted_at >= since)
    ]  # fmt: skip
    fills = [f for f in call.backend.fills(account) if since is None or f.time >= since]
    first: dict[str, Fill] = {}
    for fill in fills:
        first.setdefault(fill.client_order_id, fill)
    took = sorted(
        (first[o.request.client_order_id].time - o.submitted_at).total_seconds()
        for o in orders
        if o.submitted_at is not None and o.request.client_order_id in first
    )
    sent = [o for o in orders if o.submitted_at is not None]
    filled = sum(1 for o in sent if o.status is OrderStatus.FILLED)
    volume = sum((f.notional for f in fills), Decimal(0))
    return Execution(
        account=account,
        since=since,
        orders=len(orders),
        by_status=dict(Counter(str(o.status) for o in orders)),
        fill_rate=filled / len(sent) if sent else None,
        executions=len(fills),
        buys=sum(1 for f in fills if f.side is Side.BUY),
        sells=sum(1 for f in fills if f.side is Side.SELL),
        volume=volume,
        commission=sum((f.commission for f in fills), Decimal(0)),
        average_execution=volume / len(fills) if fills else None,
        median_seconds_to_fill=took[len(took) // 2] if took else None,
    )


class TradeOrder(NewOrder):
    """One order as Alpaca's route takes it; it is known by its id, which the caller gives."""

    client_order_id: ClientId = Field(
        description="Yours, and new: the same id is the same order however often it is sent."
    )


class Trade(TradeOrder):
    """One order for an account."""

    account: Account
    strategy: Owner = ASSISTANT


class OrderResult(Output):
    """What became of an order; a refusal says which rule and why."""

    account: str
    client_order_id: str
    symbol: str
    side: str
    quantity: Money | None = Field(description="null where the order is for an amount of money.")
    status: str
    filled_quantity: Money
    venue_order_id: str
    rule: str
    reason: str


class BatchResult(Output):
    """What became of each order, a leg being one too, in their order."""

    results: tuple[OrderResult, ...]


_ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "limit_price": "50", "time_in_force": "day"}
_ROUTE = "POST /v2/orders"
_MORE = frozenset({"account", "strategy"})


@tool(
    Category.TRADING,
    Scope.TRADING_WRITE,
    {"account": "paper", "client_order_id": "assistant-1", **_ORDER},
    Twin(_ROUTE, more=_MORE),
    changes=True,
    destructive=True,
)
def execute_trade(call: Call, asked: Trade) -> BatchResult:
    """Send an order through an account's risk gate to its venue, with its legs. It trades: ask the person first."""
    return _sent(call, asked.account, [asked], asked.strategy)


class Batch(Input):
    """Several orders for an account."""

    account: Account
    orders: tuple[TradeOrder, ...] = Field(min_length=1, max_length=50)
    strategy: Owner = ASSISTANT
    risk_limit: Positive | None = Field(None, description="Largest sum of limit prices times quantities.")


@tool(
    Category.TRADING,
    Scope.TRADING_WRITE,
    {"account": "paper", "orders": [{"client_order_id": "assistant-2", **_ORDER}]},
    Twin(_ROUTE, within="orders", more=_MORE | {"risk_limit"}),
    changes=True,
    destructive=True,
)
def execute_multi_asset_trade(call: Call, asked: Batch) -> BatchResult:
    """Send orders of several symbols through an account's risk gate to its venue. It trades: ask the person first."""
    ids = [order.client_order_id for order in asked.orders]
    if len(set(ids)) < len(ids):
        raise BadInputError("A client_order_id stands twice in the batch. Give each order its own.")
    if asked.risk_limit is not None:
        unpriced = [o.client_order_id for o in asked.orders if o.limit_price is None or o.qty is None]
        if unpriced:
            raise BadInputError(f"risk_limit bounds limit orders alone, and {unpriced[0]} has no limit. Give it one.")
        worth = sum(((o.qty or 0) * (o.limit_price or 0) for o in asked.orders), Decimal(0))
        if worth > asked.risk_limit:
            raise BadInputError(f"The orders are worth {worth:f}, above risk_limit {asked.risk_limit:f}. Send fewer.")
    return _sent(call, asked.account, asked.orders, asked.strategy)


def _sent(call: Call, account: str, bodies: Sequence[NewOrder], owner: str) -> BatchResult:
    async def send() -> list[OrderReport]:
        return await sent(await running(call.backend, account), bodies, owner)

    return BatchResult(results=tuple(_result(account, report) for report in call.ask(send)))


def _result(account: str, told: OrderReport) -> OrderResult:
    request = told.request
    return OrderResult(
        account=account,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=str(request.side),
        quantity=request.quantity if request.notional is None else None,
        status=str(told.status),
        filled_quantity=told.filled_quantity,
        venue_order_id=told.venue_order_id,
        rule=told.rule,
        reason=told.reason,
    )


TOOLS = (get_portfolio_status, get_execution_analytics, execute_trade, execute_multi_asset_trade)
