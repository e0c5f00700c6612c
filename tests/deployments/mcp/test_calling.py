"""Refusals, limits, scopes, progress, cancellation, and whatever a schema allows."""

import json
import threading
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.shared.exceptions import MCPError

from deployments.gateway.mcp import calling
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.categories import PER_MINUTE, Category
from deployments.gateway.mcp.limits import CallLimits
from deployments.gateway.mcp.problems import ArgumentsError, StoppedError
from nt_ray.access.buckets import LocalBuckets
from nt_ray.access.roles import Role, Scope

ORDER = {"symbol": "KO", "side": "buy", "qty": 1, "type": "market", "time_in_force": "day"}
WRONG = (
    ("quick_analysis", {}),
    ("quick_analysis", {"symbol": "KO", "colour": "red"}),
    ("quick_analysis", {"symbol": 7}),
    ("quick_analysis", {"symbol": "../../etc/passwd\0"}),
    ("quick_analysis", {"symbol": "KO", "start": "yesterday"}),
    ("quick_analysis", {"symbol": "KO", "source": "/etc"}),
    ("run_backtest", {"strategy": "evil.py:Strategy"}),
    ("run_backtest", {"strategy": "momentum", "parameters": {"lookback": "60"}}),
    ("calculate_kelly_criterion", {"probability": 1.5, "odds": 2.0, "bankroll": 1}),
    ("performance_report", {"run": "../state"}),
    ("neural_forecast", {"name": "/tmp/model"}),
    ("execute_trade", {"account": "paper", "client_order_id": "a", **ORDER, "qty": -1}),
    ("execute_trade", {"account": "paper", **ORDER}),
    ("execute_trade", {"account": "paper", "client_order_id": None, **ORDER}),
    ("deploy_trading_agent", {"name": "momentum", "account": "paper", "reason": " "}),
    ("execute_multi_asset_trade", {"account": "paper", "orders": [{"client_order_id": "a", **ORDER, "qty": True}]}),
)  # fmt: skip

UNKNOWN = (
    ("quick_analysis", {"symbol": "NOTHERE"}, "market_data"),
    ("quick_analysis", {"symbol": "KO", "start": "2022-01-03", "end": "2021-01-04"}, "bad_input"),
    ("get_strategy_info", {"name": "momentun"}, "strategy"),
    ("run_backtest", {"strategy": "momentum", "parameters": {"lookbak": 60}}, "strategy"),
    ("performance_report", {"run": "not-there"}, "unknown_run"),
    ("neural_forecast", {"name": "nobody"}, "unknown_model"),
    ("get_portfolio_status", {"account": "nobody"}, "config"),
    ("correlation_analysis", {"symbols": ["KO", "KO"]}, "bad_input"),
    ("optimize_strategy", {"strategy": "momentum", "grid": {"lookback": []}}, "arguments"),
    ("optimize_strategy", {"strategy": "momentum"}, "job"),
    ("neural_optimize", {"model": "dlinear", "ranges": {"colour": [0, 1]}}, "neural"),
    ("neural_train", {"model": "dlinear", "register_as": "../x"}, "arguments"),
    ("neural_train", {"model": "nothing"}, "neural"),
    ("run_backtest", {"strategy": "momentum", "symbols": ["NOTHERE"]}, "market_data"),
    ("shutdown_swarm", {"job": "run-0123456789abcdef"}, "no_job"),
    ("scale_swarm", {"job": "run-0123456789abcdef", "hosts": 2}, "no_job"),
)


def test_arguments_that_do_not_fit_are_refused_before_anything_happens(desk: Any) -> None:
    for asked, found in zip(WRONG, desk.problems(WRONG), strict=True):
        assert (found["code"], found["status"]) == ("arguments", 422), (asked, found)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**30, -1, "1e400"])
def test_money_that_is_no_amount_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentsError, match="cash"):
        TOOLS["run_backtest"].read({"strategy": "momentum", "cash": value})


def test_what_is_not_there_is_refused_with_the_error_of_its_room(desk: Any) -> None:
    found = desk.problems([(name, arguments) for name, arguments, _ in UNKNOWN])
    assert [f["code"] for f in found] == [code for _, _, code in UNKNOWN]


def test_an_unknown_tool_is_a_protocol_error(desk: Any) -> None:
    async def run() -> None:
        async with Client(desk.server()) as client:
            with pytest.raises(MCPError, match="no tool 'rm'"):
                await client.call_tool("rm")

    anyio.run(run)


def test_a_reader_calls_nothing_that_changes_anything(desk: Any) -> None:
    changing = [(name, tool.example) for name, tool in TOOLS.items() if tool.changes or tool.destructive]
    assert len(changing) == 36
    found = desk.acting(Role.READ_ONLY).problems(changing)
    assert {(f["code"], f["status"]) for f in found} == {("forbidden", 403)}


def test_a_key_calls_within_its_own_scopes_alone(desk: Any) -> None:
    narrow = desk.acting(Role.ADMIN, scopes=frozenset({Scope.SYSTEM_READ}))
    assert narrow.answer("ping")["version"]
    assert narrow.problem("quick_analysis", {"symbol": "KO"})["code"] == "forbidden"


def test_calls_are_counted_by_caller_and_category(desk: Any) -> None:
    now = [0.0]
    limits = CallLimits(LocalBuckets(lambda: now[0]), {**PER_MINUTE, Category.SYSTEM: 2})
    limited = replace(desk, limits=limits)
    calls = [("ping", {})] * 3
    assert [result.is_error for result in limited.calls(calls)] == [False, False, True]
    found = limited.problem("ping")
    assert (found["code"], found["status"]) == ("rate_limited", 429)
    assert not limited.call("quick_analysis", {"symbol": "KO"}).is_error
    assert not limited.acting(Role.USER, id="bob").call("ping").is_error
    now[0] = 31.0
    assert not limited.call("ping").is_error


def test_a_failure_of_the_server_says_nothing_of_itself(
    desk: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret of the server")

    monkeypatch.setattr(calling, "TOOLS", {"ping": replace(TOOLS["ping"], run=fail)})
    found = desk.problem("ping")
    assert (found["code"], found["status"]) == ("internal", 500)
    assert "secret" not in found["message"]
    assert "secret of the server" in caplog.text


def test_a_long_call_tells_how_far_it_is(desk: Any) -> None:
    told: list[tuple[float, float | None]] = []

    async def progress(done: float, total: float | None, _: str | None) -> None:
        told.append((done, total))

    async def run() -> None:
        async with Client(desk.server()) as client:
            await client.call_tool(
                "recommend_strategy", {"symbols": ["KO", "PEP"], "start": "2022-01-03"}, progress_callback=progress
            )

    anyio.run(run)
    assert told
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_cancelled_call_stops_at_its_next_word(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(call: Call, _: object) -> None:
        try:
            while True:
                begun.set()
                call.progress(0, 1)
        except StoppedError:
            ended.set()
            raise

    monkeypatch.setattr(calling, "TOOLS", {"ping": replace(TOOLS["ping"], run=work)})

    async def run() -> None:
        async with Client(desk.server()) as client, anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "ping")
            await anyio.to_thread.run_sync(begun.wait, 10)
            group.cancel_scope.cancel()

    anyio.run(run)
    assert ended.wait(10)


def test_resources_are_read_within_scopes(desk: Any, made: dict[str, Any]) -> None:
    run = made["run_backtest"]["run"]

    async def read(uris: list[str]) -> list[Any]:
        async with Client(desk.acting(Role.READ_ONLY).server()) as client:
            assert {str(r.uri) for r in (await client.list_resources()).resources} >= {"nt://runs", "nt://tools"}
            assert len((await client.list_resource_templates()).resource_templates) == 5
            return [json.loads((await client.read_resource(uri)).contents[0].text) for uri in uris]

    uris = ["nt://tools", "nt://runs", f"nt://runs/{run}", "nt://portfolios/paper", "nt://models", "nt://models/drinks",
            "nt://strategies", "nt://strategies/pairs", "nt://jobs",
            f"nt://jobs/{made['run_backtest']['job']}"]  # fmt: skip
    tools, runs, summary, paper, models, drinks, _, pairs, jobs, job = anyio.run(read, uris)
    assert sum(not row["available"] for row in tools.values()) == 48
    assert run in runs["runs"]
    assert summary["digest"] == made["run_backtest"]["digest"]
    assert paper["account"] == "paper"
    assert models["models"][0]["name"] == drinks["name"] == "drinks"
    assert pairs["parameters"]
    assert {"id": job["id"], "state": "succeeded", "done": job["done"], "total": job["total"]} in jobs["jobs"]
    assert (job["owner"], job["spec"]["strategy"], job["result"]["run"]) == ("ann", "momentum", run)


@pytest.mark.parametrize("uri", ["nt://runs/nothing", "nt://", "nt://secrets", "file:///etc/passwd", "nt://runs/.."])
def test_a_resource_that_is_not_there_is_a_protocol_error(desk: Any, uri: str) -> None:
    async def read() -> None:
        async with Client(desk.server()) as client:
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.error.data["code"] in ("bad_input", "unknown_run")

    anyio.run(read)


def test_a_resource_beyond_the_scopes_is_refused(desk: Any) -> None:
    narrow = desk.acting(Role.ADMIN, scopes=frozenset({Scope.SYSTEM_READ}))

    async def read() -> None:
        async with Client(narrow.server()) as client:
            assert [str(r.uri) for r in (await client.list_resources()).resources] == ["nt://tools"]
            with pytest.raises(MCPError) as caught:
                await client.read_resource("nt://runs")
            assert caught.value.error.data["code"] == "forbidden"

    anyio.run(read)


def test_prompts_are_filled_and_name_tools_that_are_there(desk: Any) -> None:
    async def run() -> None:
        async with Client(desk.server()) as client:
            for prompt in (await client.list_prompts()).prompts:
                given = {a.name: f"<{a.name}>" for a in prompt.arguments or ()}
                text = (await client.get_prompt(prompt.name, given)).messages[0].content.text
                assert all(value in text for value in given.values())
                named = {word.strip(".,") for word in text.split() if word.strip(".,") in TOOLS}
                assert named
                assert not [name for name in named if TOOLS[name].area]
            with pytest.raises(MCPError, match="needs argument 'odds'"):
                await client.get_prompt("size_a_bet", {"probability": "0.5", "bankroll": "1"})
            with pytest.raises(MCPError, match="no prompt"):
                await client.get_prompt("rob_a_bank")

    anyio.run(run)


CHEAP = tuple(
    name
    for name in TOOLS
    if name
    not in (
        "neural_train", "neural_backtest", "neural_optimize", "execute_swarm_strategy", "run_backtest", "run_benchmark",
        "optimize_strategy", "recommend_strategy", "adaptive_strategy_selection", "get_strategy_comparison",
        "switch_active_strategy", "deploy_trading_agent",
    )
)  # fmt: skip
"""Tools whose every input is answered in a moment; the rest is fuzzed with arguments that its schema refuses."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


def fitting(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a JSON Schema as these models write it, and now and then something else."""
    if "$ref" in schema:
        return fitting(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return st.one_of([fitting(part, definitions) for part in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        required = {
            n: fitting(p, definitions) for n, p in schema["properties"].items() if n in schema.get("required", ())
        }
        optional = {n: fitting(p, definitions) for n, p in schema["properties"].items() if n not in required}
        return st.fixed_dictionaries(required, optional=optional)
    if kind == "object":
        rest = schema.get("additionalProperties", {})
        names = st.sampled_from(["KO", "PEP", "lookback", "kind", "x"])
        return st.dictionaries(names, fitting(rest, definitions) if isinstance(rest, dict) else JSON,
                               min_size=schema.get("minProperties", 0), max_size=3)  # fmt: skip
    if kind == "array":
        size = {"min_size": schema.get("minItems", 0), "max_size": min(schema.get("maxItems", 4), 4)}
        return st.lists(fitting(schema.get("items", {}), definitions), **size)
    if kind == "integer":
        return st.integers(schema.get("minimum", -5), min(schema.get("maximum", 50), 50 + schema.get("minimum", 0)))
    if kind == "number":
        low, high = schema.get("minimum", schema.get("exclusiveMinimum", -1e6)), schema.get("maximum", 1e6)
        return st.floats(low, min(high, schema.get("exclusiveMaximum", high)), allow_nan=False)
    if kind == "boolean":
        return st.booleans()
    if kind == "string":
        words = ["KO", "PEP", "paper", "momentum", "pairs", "latest", "drinks/1", "drinks@champion", "a-1"]
        if schema.get("format") == "date":
            return st.dates().map(str)
        return st.sampled_from(words) | st.text(min_size=schema.get("minLength", 0), max_size=12)
    return JSON


# Threads of the open account draw random numbers while a batch is drawn.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("spread", ["by its schema", "by no schema"])
def test_whatever_comes_is_answered_or_refused_with_a_code(desk: Any, spread: str) -> None:
    def arguments(name: str) -> st.SearchStrategy[Any]:
        schema = TOOLS[name].input.model_json_schema()
        return fitting(schema, schema.get("$defs", {}))

    if spread == "by its schema":
        asked = st.sampled_from(CHEAP).flatmap(lambda n: st.tuples(st.just(n), arguments(n)))
    else:
        asked = st.tuples(st.sampled_from(sorted(TOOLS)), st.dictionaries(st.text(min_size=1), JSON, min_size=1))

    @settings(max_examples=8, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(batch=st.lists(asked, min_size=15, max_size=25))
    def check(batch: list[tuple[str, dict[str, Any]]]) -> None:
        for (name, given_), result in zip(batch, desk.calls(batch), strict=True):
            if result.is_error:
                assert result.structured_content is not None
                assert result.structured_content["error"]["code"] != "internal", (name, given_)

    check()
