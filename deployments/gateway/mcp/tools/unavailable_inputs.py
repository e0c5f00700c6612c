"""What tools would take whose area the platform does not have."""

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from deployments.gateway.mcp.schema import Input, Positive, Share, Symbols
from nt_ray.trader.jobs.spec import Symbol

Id: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=2000)]
Names: TypeAlias = Annotated[tuple[Id, ...], Field(max_length=100)]
Days: TypeAlias = Annotated[int, Field(ge=1, le=3650)]


class News(Input):
    """News about a symbol."""

    symbol: Symbol
    lookback_hours: int = Field(24, ge=1, le=168)
    sources: Names = ()


class NewsControl(Input):
    """Collection of news."""

    action: Literal["start", "stop", "pause", "configure"]
    symbols: Symbols = ()
    sources: Names = ()
    update_frequency: int = Field(300, ge=1, le=86_400)


class NewsFilter(Input):
    """News about symbols."""

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=100)]
    relevance_threshold: Share = 0.5
    limit: int = Field(50, ge=1, le=500)


class NewsTrends(Input):
    """Trends of news."""

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=100)]
    time_intervals: Annotated[tuple[int, ...], Field(max_length=20)] = (1, 6, 24)


class MarketList(Input):
    """A list of markets."""

    category: Id | None = None
    sort_by: Literal["volume", "liquidity", "popularity"] = "volume"
    limit: int = Field(10, ge=1, le=100)


class Market(Input):
    """One market."""

    market_id: Id
    depth: int = Field(10, ge=1, le=50)


class MarketOrder(Input):
    """An order in a market."""

    market_id: Id
    outcome: Id
    side: Literal["buy", "sell"]
    quantity: Positive
    order_type: Literal["market", "limit"] = "market"
    limit_price: Positive | None = None


class Sport(Input):
    """A sport."""

    sport: Id
    days_ahead: int = Field(7, ge=1, le=30)
    regions: Names = ()
    markets: Names = ()


class SportEvent(Input):
    """An event of a sport."""

    sport: Id
    event_id: Id
    regions: Names = ()
    markets: Names = ()
    intervals: int = Field(5, ge=1, le=100)


class SportBet(Input):
    """A bet."""

    market_id: Id
    selection: Id
    stake: Positive
    odds: float = Field(gt=1.0, le=10_000.0)
    bet_type: Literal["back", "lay"] = "back"
    validate_only: bool = True


class Bookmaker(Input):
    """Odds of one bookmaker."""

    sport: Id
    bookmaker: Id
    regions: Names = ()


class Period(Input):
    """The last days."""

    period_days: Days = 30


class Syndicate(Input):
    """A syndicate."""

    syndicate_id: Id


class NewSyndicate(Syndicate):
    """A syndicate that is founded."""

    name: Id
    description: Words = "-"


class NewMember(Syndicate):
    """A member who joins."""

    name: Id
    email: Id
    role: Id
    initial_contribution: Positive


class Member(Syndicate):
    """A member."""

    member_id: Id


class MemberMoney(Member):
    """Money of a member."""

    amount: Positive
    is_emergency: bool = False


class Opportunities(Syndicate):
    """Bets that funds are spread over."""

    opportunities: Names
    strategy: Id = "kelly_criterion"


class Profit(Syndicate):
    """Profit that is shared out."""

    total_profit: Decimal = Field(ge=-1_000_000_000, le=1_000_000_000, allow_inf_nan=False)
    model: Id = "hybrid"


class NewVote(Syndicate):
    """A vote that is called."""

    vote_type: Literal["strategy", "withdrawal", "member", "allocation", "other"]
    proposal: Words
    options: Annotated[tuple[Id, ...], Field(min_length=2, max_length=20)]
    duration_hours: int = Field(48, ge=1, le=168)


class Ballot(Member):
    """A vote that is cast."""

    vote_id: Id
    option: Id


class NewSandbox(Input):
    """A sandbox that is made."""

    name: Id
    template: Literal["base", "python", "nodejs", "trading"] = "base"
    memory_mb: int = Field(512, ge=256, le=4096)
    cpu_count: int = Field(1, ge=1, le=4)
    timeout: int = Field(300, ge=1, le=86_400)


class Sandbox(Input):
    """A sandbox."""

    sandbox_id: Id


class SandboxAgent(Sandbox):
    """An agent in a sandbox."""

    agent_type: Literal["trader", "analyzer", "monitor", "optimizer"]
    symbols: Symbols = ()


class SandboxProcess(Sandbox):
    """A process in a sandbox."""

    command: Words
    args: Names = ()
    timeout: int = Field(60, ge=1, le=3600)


class SandboxTemplate(Input):
    """A template of sandboxes."""

    template_name: Id
    category: Literal["trading", "analytics", "ml", "custom"] = "custom"


class Deployment(Input):
    """Instances of a deployment."""

    deployment_id: Id
    instance_count: int = Field(1, ge=1, le=10)
    auto_scale: bool = False
