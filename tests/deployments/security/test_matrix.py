"""Every route, channel and tool, for every role, in its own account, in another one, and for nobody.

What is expected stands in the tables below, written down from what the gateway is for and from nothing in the code. A
route that has no line here fails the test.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import anyio.to_thread
import httpx
import pytest

from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.calling import Asker, Caller
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.categories import Category
from deployments.gateway.mcp.limits import CallLimits
from deployments.gateway.mcp.problems import StoppedError
from nt_ray.access.roles import Role, Scope
from nt_ray.errors import ServiceError
from nt_ray.trader.event_stream import Channel, news

READS: Final = "trading:read risk:read strategies:read jobs:read models:read swarms:read runs:read system:read"
WORKS: Final = f"{READS} trading:write strategies:write jobs:write swarms:write journal:read"
ROLES: Final = {
    "read_only": READS,
    "user": WORKS,
    "service": f"{WORKS} models:write",
    "admin": f"{WORKS} models:write kill:write config:read access:admin audit:read",
}
"""What each role may do."""

ROUTES: Final = """
GET    /health/live                                       -
GET    /health/ready                                      -
GET    /health                                            system:read
GET    /metrics                                           system:read       everywhere
GET    /api/v1/logs                                       config:read       everywhere
GET    /api/v1/me                                         known
POST   /api/v1/auth/token                                 -
POST   /api/v1/auth/revoke                                -
POST   /v2/orders                                         trading:write     header
GET    /v2/orders                                         trading:read      header
DELETE /v2/orders                                         trading:write     header
GET    /v2/orders:by_client_order_id                      trading:read      header
GET    /v2/orders/{id_}                                   trading:read      header
PATCH  /v2/orders/{id_}                                   trading:write     header
DELETE /v2/orders/{id_}                                   trading:write     header
GET    /v2/positions                                      trading:read      header
DELETE /v2/positions                                      trading:write     header
GET    /v2/positions/{symbol}                             trading:read      header
DELETE /v2/positions/{symbol}                             trading:write     header
POST   /v2/positions/{contract}/exercise                  trading:write
GET    /v2/account                                        trading:read      header
GET    /v2/account/portfolio/history                      trading:read      header
GET    /v2/account/activities                             trading:read      header
GET    /v2/account/activities/{kind}                      trading:read      header
GET    /v2/account/configurations                         trading:read      header
PATCH  /v2/account/configurations                         kill:write        header
GET    /v2/assets                                         trading:read      header
GET    /v2/assets/{symbol}                                trading:read      header
GET    /v2/clock                                          trading:read
GET    /v2/calendar                                       trading:read
GET    /v2/wallets                                        trading:read
GET    /v2/options/contracts                              trading:read
GET    /v2/options/contracts/{contract}                   trading:read
GET    /v2/corporate_actions/announcements                trading:read
GET    /v2/corporate_actions/announcements/{announcement} trading:read
GET    /v2/watchlists                                     trading:read      header
POST   /v2/watchlists                                     trading:write     header
GET    /v2/watchlists/{key}                               trading:read      header
PUT    /v2/watchlists/{key}                               trading:write     header
POST   /v2/watchlists/{key}                               trading:write     header
DELETE /v2/watchlists/{key}                               trading:write     header
DELETE /v2/watchlists/{key}/{symbol}                      trading:write     header
GET    /v2/watchlists:by_name                             trading:read      header
PUT    /v2/watchlists:by_name                             trading:write     header
POST   /v2/watchlists:by_name                             trading:write     header
DELETE /v2/watchlists:by_name                             trading:write     header
GET    /api/v1/accounts                                   trading:read
GET    /api/v1/accounts/{account}/portfolio               trading:read      path
GET    /api/v1/accounts/{account}/risk                    risk:read         path
GET    /api/v1/strategies                                 strategies:read
GET    /api/v1/strategies/{name}                          strategies:read
GET    /api/v1/strategies/{name}/health                   strategies:read   query
POST   /api/v1/strategies/{name}/stop                     strategies:write  body
POST   /api/v1/strategies/{name}/start                    strategies:write+trading:write body
POST   /api/v1/strategies/{name}/switch                   strategies:write+trading:write body
POST   /api/v1/jobs                                       jobs:write
GET    /api/v1/jobs                                       jobs:read
GET    /api/v1/jobs/{job}                                 jobs:read
POST   /api/v1/jobs/{job}/cancel                          jobs:write
GET    /api/v1/jobs/{job}/events                          jobs:read
POST   /api/v1/swarms                                     swarms:write
GET    /api/v1/swarms                                     swarms:read
GET    /api/v1/swarms/{job}                               swarms:read
GET    /api/v1/swarms/{job}/topology                      swarms:read
POST   /api/v1/swarms/{job}/topology                      swarms:write
POST   /api/v1/swarms/{job}/stop                          swarms:write
POST   /api/v1/swarms/{job}/scale                         swarms:write
GET    /api/v1/models                                     models:read
GET    /api/v1/models/{name}                              models:read
GET    /api/v1/models/{name}/versions/{version}           models:read
GET    /api/v1/models/{name}/changes                      models:read
POST   /api/v1/models/{name}/forecasts                    models:read
PUT    /api/v1/models/{name}/aliases/{alias}              models:write
DELETE /api/v1/models/{name}/aliases/{alias}              models:write
GET    /api/v1/runs                                       runs:read
GET    /api/v1/runs/{run}                                 runs:read
GET    /api/v1/runs/{run}/files                           runs:read
GET    /api/v1/runs/{run}/files/{name}                    runs:read
GET    /api/v1/journals/{account}/entries                 journal:read      path
GET    /api/v1/journals/{account}/verification            journal:read      path
GET    /api/v1/system                                     system:read
GET    /api/v1/configuration                              config:read
GET    /api/v1/audit                                      audit:read        everywhere
GET    /api/v1/access/users                               access:admin      everywhere
GET    /api/v1/access/keys                                access:admin      everywhere
POST   /api/v1/access/keys                                access:admin      everywhere
POST   /api/v1/access/keys/{key_}/rotate                  access:admin      everywhere
POST   /api/v1/access/keys/{key_}/revoke                  access:admin      everywhere
GET    /api/v1/dashboard/accounts/{account}               trading:read      path
POST   /api/v1/dashboard/accounts/{account}/halt          kill:write        path
POST   /api/v1/dashboard/accounts/{account}/resume        kill:write        path
GET    /api/v1/dashboard/accounts/{account}/equity        trading:read      path
GET    /api/v1/dashboard/accounts/{account}/tails         risk:read         path
GET    /api/v1/dashboard/models                           models:read
GET    /api/v1/dashboard/run                              runs:read
GET    /api/v1/dashboard/sessions                         strategies:read
"""
"""Method, path, scopes and how the account is named: `-` is open, `known` asks for any credential, `everywhere` tells
of all accounts and so is for those alone to whom all are open."""

BESIDES: Final = {"/openapi.json", "/", "/assets/{name}", "/stream", "/stream/v1", "/mcp", "/mcp/"}
"""Paths that the document of the routes does not name; each has tests of its own."""

BODIES: Final[dict[str, Any]] = {
    "POST /v2/orders": {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
    "PATCH /v2/orders/{id_}": {"qty": "1"},
    "PATCH /v2/account/configurations": {"suspend_trade": True},
    "POST /v2/watchlists": {"name": "mine", "symbols": ["AAPL"]},
    "PUT /v2/watchlists/{key}": {"name": "mine"},
    "POST /v2/watchlists/{key}": {"symbol": "AAPL"},
    "PUT /v2/watchlists:by_name": {"name": "mine"},
    "POST /v2/watchlists:by_name": {"symbol": "AAPL"},
    "POST /api/v1/strategies/{name}/stop": {"reason": "test"},
    "POST /api/v1/strategies/{name}/start": {"reason": "test"},
    "POST /api/v1/strategies/{name}/switch": {"reason": "test", "to": "pairs"},
    "POST /api/v1/jobs": {"kind": "backtest", "strategy": "momentum"},
    "POST /api/v1/swarms": {"kind": "run"},
    "POST /api/v1/swarms/{job}/topology": {"topology": "star"},
    "POST /api/v1/swarms/{job}/scale": {"hosts": 2},
    "POST /api/v1/models/{name}/forecasts": {},
    "PUT /api/v1/models/{name}/aliases/{alias}": {"version": 1, "reason": "test"},
    "POST /api/v1/access/keys": {"user": "nobody"},
    "POST /api/v1/access/keys/{key_}/rotate": {},
    "POST /api/v1/dashboard/accounts/{account}/halt": {"reason": "test"},
    "POST /api/v1/dashboard/accounts/{account}/resume": {"reason": "test"},
}
VALUES: Final = {
    "id_": "none", "symbol": "AAPL", "contract": "AAPL", "kind": "FILL", "announcement": "none", "key": "none",
    "name": "momentum", "job": "run-0000000000000002", "version": "1", "run": "none",
    "alias": "challenger", "key_": "AAAAAAAAAAAAAAAA",
}  # fmt: skip


class Row(NamedTuple):
    method: str
    path: str
    scopes: frozenset[str]
    how: str


def rows() -> list[Row]:
    found = []
    for line in ROUTES.strip().splitlines():
        method, path, scopes, how = (*line.split(), "")[:4]
        found.append(Row(method, path, frozenset(scopes.split("+")), how))
    return found


def is_granted(row: Row, role: str, account: str, accounts: tuple[str, ...] | None) -> bool:
    """Whether a role with these accounts, None for all, may do this in an account."""
    if row.scopes & {"known"}:
        return True
    if not row.scopes <= set(ROLES[role].split()):
        return False
    if row.how == "everywhere":
        return accounts is None
    return not row.how or accounts is None or account in accounts


def request_of(row: Row, account: str) -> dict[str, Any]:
    """Arguments of a request about an account."""
    path = row.path.replace("{account}", account)
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    body = BODIES.get(f"{row.method} {row.path}")
    asked: dict[str, Any] = {"method": row.method, "url": path, "headers": {}}
    if row.how == "header":
        asked["headers"] = {"NT-Account": account}
    if row.how == "query":
        asked["params"] = {"account": account}
    if body is not None:
        asked["json"] = body | ({"account": account} if row.how == "body" else {})
    return asked


def test_every_route_of_the_application_has_a_line(house: Any) -> None:
    document = house.app.openapi()["paths"]
    found = {(method.upper(), path.replace(":path}", "}")) for path, methods in document.items() for method in methods}
    assert found == {(row.method, row.path) for row in rows()}
    assert paths_of(house.app.routes) - {path for _, path in found} == BESIDES


def paths_of(routes: Any, prefix: str = "") -> set[str]:
    """Paths of all routes; those of routers that were included, by how they were included."""
    found: set[str] = set()
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            found.add(prefix + route.path.replace(":path}", "}"))
        else:
            found |= paths_of(inner.routes, prefix + route.include_context.prefix)
    return found


def test_every_route_lets_in_each_role_as_the_table_says_and_nobody_else(house: Any) -> None:
    credentials: dict[tuple[str, tuple[str, ...] | None], str] = {
        (role, accounts): house.key(Role(role), accounts=accounts) for role in ROLES for accounts in (None, ("paper",))
    }
    narrow = house.key(Role.ADMIN, scopes=frozenset({Scope.AUDIT_READ}))
    house.gatekeeper.users.add("moved", Role.ADMIN, accounts=["elsewhere"])
    moved = house.gatekeeper.keys.add("moved").text

    async def ask(http: httpx.AsyncClient) -> list[str]:
        wrong: list[str] = []
        for row in rows():
            for account in ("paper", "other") if row.how else ("paper",):
                asked = request_of(row, account)
                status = await answer(http, asked, None)
                if (status == 401) is (row.scopes == {"-"}):
                    wrong.append(f"{row.method} {row.path}: nobody gets {status}")
                if row.scopes == {"-"}:
                    continue
                for (role, accounts), key in credentials.items():
                    if accounts is None and not row.how:
                        continue
                    status, granted = await answer(http, asked, key), is_granted(row, role, account, accounts)
                    if (status != 403) is not granted or status in (401, 500):
                        wrong.append(f"{row.method} {row.path} in {account}: {role} of {accounts} gets {status}")
                others = [] if row.scopes == {"audit:read"} else [narrow]
                for key in others + ([moved] if row.how else []):
                    status = await answer(http, asked, key)
                    if row.scopes != {"known"} and status != 403:
                        wrong.append(f"{row.method} {row.path} in {account}: a key for something else gets {status}")
        return wrong

    assert house.run(ask) == []


async def answer(http: httpx.AsyncClient, asked: dict[str, Any], key: str | None) -> int:
    headers = asked["headers"] | ({} if key is None else {"X-API-Key": key})
    return (await http.request(**(asked | {"headers": headers}))).status_code


@pytest.mark.parametrize(
    ("body", "needed"),
    [
        ({"kind": "run"}, Scope.SWARMS_WRITE),
        ({"kind": "train", "model": "dlinear", "register_as": "drinks"}, Scope.MODELS_WRITE),
    ],
)
def test_a_job_does_nothing_that_its_sender_may_not_do_by_another_door(
    house: Any, body: dict[str, Any], needed: Scope
) -> None:
    alone = house.key(Role.ADMIN, scopes=frozenset({Scope.JOBS_WRITE}))
    both = house.key(Role.ADMIN, scopes=frozenset({Scope.JOBS_WRITE, needed}))

    async def ask(http: httpx.AsyncClient) -> list[int]:
        return [
            (await http.post("/api/v1/jobs", json=body, headers={"X-API-Key": k})).status_code for k in (alone, both)
        ]

    assert house.run(ask) == [403, 409]


CHANNELS: Final = {
    "bars": "strategies:read", "quotes": "strategies:read", "decisions": "swarms:read", "orders": "trading:read",
    "fills": "trading:read", "risk": "risk:read", "jobs": "jobs:read",
}  # fmt: skip
"""Channels of the platform's stream and what they need."""


def test_every_channel_is_open_to_those_who_have_its_scope(open_house: Callable[..., Any], connect: Any) -> None:
    house = open_house()
    assert set(CHANNELS) == {channel.value for channel in Channel}

    async def ask(_: httpx.AsyncClient) -> None:
        for role in ROLES:
            for scope in {*CHANNELS.values(), "audit:read"} & set(ROLES[role].split()):
                key = house.key(Role(role), scopes=frozenset({Scope(scope)}))
                async with connect(house.app, "/stream/v1", {"X-API-Key": key}) as socket:
                    assert (await socket.next())["type"] == "websocket.accept"
                    assert (await socket.told())[0]["type"] == "authenticated"
                    for channel, needed in CHANNELS.items():
                        await socket.send(action="subscribe", channels={channel: {}})
                        (told,) = await socket.told()
                        assert (told["type"] == "subscribed") is (needed == scope), (role, scope, channel, told)

    house.run(ask)


def test_the_stream_tells_nobody_of_accounts_that_are_not_his(open_house: Callable[..., Any], connect: Any) -> None:
    house = open_house()
    key = house.key(Role.ADMIN, accounts=["paper"])

    async def ask(_: httpx.AsyncClient) -> None:
        async with connect(house.app, "/stream/v1", {"X-API-Key": key}) as socket:
            await socket.next()
            await socket.told()
            await socket.send(action="subscribe", channels={"orders": {}, "risk": {}, "fills": {}, "quotes": {}})
            assert (await socket.told())[0]["type"] == "subscribed"
            for channel in (Channel.ORDERS, Channel.RISK, Channel.FILLS, Channel.QUOTES):
                for account in ("other", "paper"):
                    told = news(channel, datetime.now(UTC), {"of": account}, symbol="AAPL", account=account)
                    house.source.stream.publish([told])
            seen: list[str] = []
            while len(seen) < 4:
                seen += [event["account"] for event in await socket.told() if event["type"] == "event"]
            assert seen == ["paper"] * 4

    house.run(ask)


@pytest.mark.parametrize(
    ("role", "accounts", "scopes", "named", "status"),
    [
        *((role, ["paper"], None, None, "authorized") for role in ROLES),
        ("admin", ["paper"], None, "other", "unauthorized"),
        ("admin", None, None, None, "unauthorized"),
        ("admin", None, None, "other", "authorized"),
        ("admin", ["paper"], "runs:read", None, "unauthorized"),
        (None, None, None, None, "unauthorized"),
    ],
)
def test_alpacas_stream_is_that_of_ones_own_account(
    house: Any, connect: Any, role: str | None, accounts: list[str] | None, scopes: str | None, named: str | None,
    status: str,
) -> None:  # fmt: skip
    key_id, secret = "A" * 16, "b" * 52
    if role is not None:
        wanted = None if scopes is None else frozenset({Scope(scopes)})
        key_id, secret = house.key(Role(role), accounts=accounts, scopes=wanted).removeprefix("nt_").split("_")

    async def ask(_: httpx.AsyncClient) -> Any:
        headers = {} if named is None else {"NT-Account": named}
        async with connect(house.app, "/stream", headers) as socket:
            await socket.next()
            await socket.send(action="auth", key=key_id, secret=secret)
            return (await socket.told())["data"]["status"]

    assert house.run(ask) == status


def test_connections_of_an_address_are_counted_like_its_requests(open_house: Callable[..., Any], connect: Any) -> None:
    house = open_house(access__address_per_minute="12")

    async def ask(_: httpx.AsyncClient) -> list[str]:
        found = []
        for _ in range(3):
            async with connect(house.app, "/stream") as socket:
                found.append((await socket.next())["type"])
        return found

    assert house.run(ask) == ["websocket.accept", "websocket.accept", "websocket.close"]


TOOL_SCOPES: Final = {
    "system:read": "ping get_system_metrics list_broker_types validate_broker_config",
    "strategies:read": "list_strategies get_strategy_info monitor_strategy_health simulate_trade",
    "strategies:write": "control_news_collection deploy_trading_agent switch_active_strategy",
    "jobs:write": "run_backtest neural_backtest optimize_strategy neural_optimize get_strategy_comparison "
    "recommend_strategy adaptive_strategy_selection run_benchmark",
    "models:read": "neural_forecast neural_evaluate neural_model_status",
    "models:write": "neural_train",
    "runs:read": "performance_report",
    "risk:read": "quick_analysis correlation_analysis cross_asset_correlation_matrix risk_analysis portfolio_rebalance "
    "calculate_kelly_criterion simulate_betting_strategy odds_api_calculate_probability analyze_news "
    "get_news_sentiment get_news_provider_status fetch_filtered_news get_news_trends",
    "swarms:read": "get_swarm_status get_swarm_metrics monitor_swarm_health list_e2b_sandboxes get_e2b_sandbox_status "
    "monitor_e2b_health",
    "swarms:write": "execute_swarm_strategy init_e2b_swarm scale_swarm shutdown_swarm "
    "create_e2b_sandbox run_e2b_agent execute_e2b_process terminate_e2b_sandbox deploy_e2b_template "
    "scale_e2b_deployment export_e2b_template",
    "trading:write": "execute_trade execute_multi_asset_trade place_prediction_order_tool execute_sports_bet "
    "create_syndicate_tool add_syndicate_member allocate_syndicate_funds distribute_syndicate_profits "
    "process_syndicate_withdrawal create_syndicate_vote cast_syndicate_vote update_syndicate_member_contribution "
    "update_syndicate_allocation_strategy",
    "trading:read": "get_portfolio_status get_execution_analytics get_prediction_markets_tool "
    "analyze_market_sentiment_tool get_market_orderbook_tool get_prediction_positions_tool "
    "calculate_expected_value_tool get_sports_events get_sports_odds find_sports_arbitrage "
    "analyze_betting_market_depth get_betting_portfolio_status get_sports_betting_performance "
    "compare_betting_providers odds_api_get_sports odds_api_get_live_odds odds_api_get_event_odds "
    "odds_api_find_arbitrage odds_api_get_bookmaker_odds odds_api_analyze_movement odds_api_compare_margins "
    "odds_api_get_upcoming get_syndicate_status_tool get_syndicate_member_performance get_syndicate_allocation_limits "
    "get_syndicate_profit_history simulate_syndicate_allocation get_syndicate_withdrawal_history "
    "get_syndicate_member_list calculate_syndicate_tax_liability",
}
"""Tools by the scope that they need."""
OF_ACCOUNTS: Final = {
    "get_portfolio_status", "get_execution_analytics", "execute_trade", "execute_multi_asset_trade",
    "switch_active_strategy", "deploy_trading_agent",
}  # fmt: skip


def test_every_tool_is_called_by_those_who_have_its_scope_in_their_own_accounts_alone(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = {name: scope for scope, names in TOOL_SCOPES.items() for name in names.split()}
    assert needed.keys() == TOOLS.keys()
    assert {name for name, tool in TOOLS.items() if "account" in tool.input.model_fields} == OF_ACCOUNTS

    async def let_in(*_: object) -> Any:
        raise StoppedError

    monkeypatch.setattr(Caller, "_run", let_in)
    caller = Caller(backend_of(house), CallLimits(per_minute=dict.fromkeys(Category, 10**7)))

    async def report(*_: object) -> None:
        return None

    async def code(key: str, name: str, arguments: dict[str, Any]) -> str:
        asker = Asker(house.gatekeeper.authenticate({"X-API-Key": key}, "192.0.2.1"))
        told = await caller.call(asker, name, arguments, report)
        assert told.structured_content is not None
        return str(told.structured_content["error"]["code"])

    async def ask() -> None:
        for role in ROLES:
            key = house.key(Role(role), accounts=["paper"])
            for name, tool in TOOLS.items():
                granted = needed[name] in ROLES[role].split()
                arguments = dict(tool.example) | ({"account": "paper"} if name in OF_ACCOUNTS else {})
                assert await code(key, name, arguments) == ("cancelled" if granted else "forbidden"), (role, name)
                if name in OF_ACCOUNTS:
                    assert await code(key, name, arguments | {"account": "other"}) == "forbidden", (role, name)

    asyncio.run(ask())


def test_tools_without_an_account_tell_of_ones_own_alone(house: Any) -> None:
    principal = house.gatekeeper.authenticate(
        {"X-API-Key": house.key(Role.ADMIN, accounts=["paper"])}, "192.0.2.1"
    )  # fmt: skip
    tool = TOOLS["get_portfolio_status"]

    async def ask() -> Any:
        return await anyio.to_thread.run_sync(tool.run, Call(backend_of(house), principal), tool.read({}))

    assert list(asyncio.run(ask()).silent) == ["paper"]


def backend_of(house: Any) -> Backend:
    class Away:
        settings = house.settings

        @property
        def accounts(self) -> Any:
            return self

        async def names(self) -> list[str]:
            return ["other", "paper"]

        def state(self, account: str) -> Any:
            raise ServiceError(f"{account} is away. Ask again.")

    found: Any = Away()
    return found  # type: ignore[no-any-return]
