"""`/accounts`: live accounts, what they hold, and what that risks. Money and quantities are exact text."""

import asyncio
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Path, Query
from pydantic import Field, StringConstraints
from starlette.responses import Response

from deployments.gateway.backend.accounts import AccountDoor
from deployments.gateway.backend.platform import Platform, Trading
from deployments.gateway.platform.paging import Cursor, Limit, Next, page_of
from deployments.gateway.platform.replies import Body, problems, replied
from deployments.gateway.problems import NotFoundError
from deployments.gateway.security import needs
from nt_ray.access.roles import Principal, Scope
from nt_ray.config import Settings
from nt_ray.errors import MarketDataError, RiskError
from nt_ray.risk.report.holdings import Position, holdings_of
from nt_ray.risk.report.plan import ReportPlan
from nt_ray.risk.report.report import risk_report
from nt_ray.trader.data import load_bars
from nt_ray.trader.overview import Overview

CENT: Final = Decimal("0.01")

AccountName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
AccountPath: TypeAlias = Annotated[AccountName, Path(examples=["paper"])]


class AccountList(Body):
    """Names of live accounts that run."""

    accounts: list[str]
    next: Next


class HoldingView(Body):
    """A position; `price` is null where none is known, and `value` then the cost."""

    symbol: str
    quantity: str
    cost: str
    price: str | None
    value: str


class PortfolioView(Body):
    """An account as it stands."""

    account: str
    currency: str
    time: str
    cash: str
    equity: str
    day_start_equity: str
    buying_power: str
    holdings: list[HoldingView]
    halts: dict[str, str] = Field(description="Kill switches that are set: who and why.")
    breaker: list[str] = Field(description="Loss rules that have tripped.")


class Report(Body):
    """What an account risks; fractions of equity, money as text, null where there is no figure."""

    account: str
    confidence: float
    value_at_risk: float | None = Field(
        description="Of one period, over the past that its venue knows, whatever limit is set; 0 where nothing is held."
    )
    value_at_risk_money: str | None
    report: dict[str, Any] | None = Field(description="The whole risk report over the platform's own data.")
    refused: str | None = Field(description="Why there is no whole report.")


def router(platform: Platform) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/accounts", tags=["accounts"])

    @routes.get("", response_model=AccountList, responses=problems(), summary="List the accounts that are yours")
    async def listed(
        principal: Annotated[Principal, needs(Scope.TRADING_READ)], limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        names = [name for name in await platform.accounts.names() if principal.may(Scope.TRADING_READ, name)]
        page, more = page_of("accounts", names, str, cursor, limit)
        return replied(AccountList(accounts=page, next=more))

    @routes.get(
        "/{account}/portfolio", response_model=PortfolioView, responses=problems(404), summary="What an account holds"
    )
    async def portfolio(principal: Annotated[Principal, needs(Scope.TRADING_READ)], account: AccountPath) -> Response:
        principal.require(Scope.TRADING_READ, account)
        return replied(_view(await overview_of(platform, account)))

    @routes.get(
        "/{account}/risk",
        response_model=Report,
        responses=problems(404),
        summary="What the holdings risk, by every method",
        description=(
            "The value at risk rests on the past at the venue, the whole report on the data of the platform "
            "where these have every symbol."
        ),
    )
    async def risk(
        principal: Annotated[Principal, needs(Scope.RISK_READ)],
        account: AccountPath,
        confidence: Annotated[float, Query(gt=0.5, le=0.9999, examples=[0.95])] = 0.95,
        horizon: Annotated[int, Query(ge=1, le=250, description="Bars ahead.")] = 1,
    ) -> Response:
        principal.require(Scope.RISK_READ, account)
        door = await running(platform, account)
        found, var = await door.overview(), await door.call("value_at_risk", confidence)
        plan = ReportPlan(confidences=(confidence,), horizons=(horizon,))
        told, refused = await asyncio.to_thread(_report, platform.settings, found, plan)
        money = None if var is None else f"{(Decimal(repr(var)) * found.equity).quantize(CENT):f}"
        view = Report(
            account=account,
            confidence=confidence,
            value_at_risk=var,
            value_at_risk_money=money,
            report=told,
            refused=refused,
        )
        return replied(view)

    return routes


async def overview_of(platform: Platform, account: str) -> Overview:
    """Look at an account; `NotFoundError` where none of this name runs."""
    return await (await running(platform, account)).overview()


async def running(platform: Trading, account: str) -> AccountDoor:
    """Find an account that runs; `NotFoundError` where none does, since it would be waited for in vain."""
    if account not in await platform.accounts.names():
        raise NotFoundError(f"There is no running account {account}. List the accounts to see which there are.")
    return platform.accounts.account(account)


def _view(found: Overview) -> PortfolioView:
    return PortfolioView(
        account=found.name,
        currency=found.currency,
        time=found.time.isoformat(),
        cash=f"{found.cash:f}",
        equity=f"{found.equity:f}",
        day_start_equity=f"{found.day_start_equity:f}",
        buying_power=f"{found.buying_power:f}",
        holdings=[
            HoldingView(
                symbol=h.symbol,
                quantity=f"{h.quantity:f}",
                cost=f"{h.cost:f}",
                price=None if h.mark is None else f"{h.mark:f}",
                value=f"{h.value:f}",
            )
            for h in found.holdings
        ],
        halts=found.halts,
        breaker=list(found.breaker),
    )


def _report(settings: Settings, found: Overview, plan: ReportPlan) -> tuple[dict[str, Any] | None, str | None]:
    """The whole report, or why there is none."""
    positions = [
        Position(symbol=h.symbol, quantity=h.quantity, price=h.mark)
        for h in found.holdings
        if h.quantity and h.mark is not None
    ]
    try:
        holdings = holdings_of(positions, found.equity, f"account {found.name}")
        bars = load_bars(settings.data.model_copy(update={"symbols": holdings.symbols}))
        told: dict[str, Any] = plain(risk_report(holdings, bars, plan).as_data())
    except (RiskError, MarketDataError) as error:
        return None, str(error)
    return told, None


def plain(value: Any) -> Any:
    """Value as JSON has it: null for what is no number, text for money."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return float(value) if abs(value) < float("inf") else None
    return value
