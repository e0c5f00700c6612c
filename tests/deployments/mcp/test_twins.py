"""A tool takes what the route takes that does the same: the tools' schemas against the document of the API."""

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from deployments.gateway.alpaca import orders
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.platform import api
from nt_ray.config import load_settings

WITH_TWINS = [name for name, tool in TOOLS.items() if tool.twin is not None]
WORDS = ("title", "description", "examples", "default", "discriminator", "$defs")
"""Of a schema: what bounds nothing."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    platform: Any = SimpleNamespace(settings=load_settings(None, environ={}), accounts=None)
    app = FastAPI()
    for router in (api.router(platform), orders.router(platform.accounts)):
        app.include_router(router)
    return app.openapi()


def bare(schema: Any, definitions: Any) -> Any:
    """A schema with what it refers to put in, without words, and without the null of what may be left out."""
    if isinstance(schema, list):
        return [bare(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return bare(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    found = {
        key: {name: bare(value, definitions) for name, value in part.items()}
        if key == "properties"
        else bare(part, definitions)
        for key, part in schema.items()
        if key not in WORDS
    }
    kinds = [kind for kind in found.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        return {key: value for key, value in found.items() if key != "anyOf"} | kinds[0]
    return found


def of_route(document: dict[str, Any], twin: Any) -> dict[str, Any]:
    """Fields that a route takes, in path, query and body."""
    method, path = twin.route.split(" ")
    definitions, operation = document["components"]["schemas"], document["paths"][path][method.lower()]
    found = {
        one["name"]: bare(one["schema"], definitions) for one in operation.get("parameters", ()) if one["in"] == "path"
    }
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        if twin.kind:
            schema = {"$ref": schema["discriminator"]["mapping"][twin.kind]}
        found |= bare(schema, definitions)["properties"]
    return found


def of_tool(name: str, within: str = "") -> dict[str, Any]:
    """Fields that a tool takes, those of one body put in place of the argument that holds several."""
    schema = TOOLS[name].input.model_json_schema()
    found: dict[str, Any] = bare(schema, schema.get("$defs", {}))["properties"]
    if not within:
        return found
    inner = found.pop(within)["items"]["properties"]
    return found | inner


@pytest.mark.parametrize("name", WITH_TWINS)
def test_a_tool_takes_what_its_route_takes(document: dict[str, Any], name: str) -> None:
    twin = TOOLS[name].twin
    assert twin is not None
    asked, taken = of_route(document, twin), of_tool(name, twin.within)
    assert twin.settled <= set(asked)
    assert not twin.more & set(asked)
    assert set(taken) == (set(asked) - twin.settled) | twin.more
    for field in set(taken) - twin.more:
        assert taken[field] == asked[field], field


@pytest.mark.parametrize("name", [name for name in WITH_TWINS if TOOLS[name].twin.answers])  # type: ignore[union-attr]
def test_a_tool_answers_what_its_route_answers(document: dict[str, Any], name: str) -> None:
    tool = TOOLS[name]
    assert tool.twin is not None
    assert tool.output is not None
    method, path = tool.twin.route.split(" ")
    replies = document["paths"][path][method.lower()]["responses"]
    [told] = [
        replies[status]["content"]["application/json"]["schema"] for status in ("200", "201") if status in replies
    ]
    own = tool.output.model_json_schema(mode="serialization")
    assert bare(own, own.get("$defs", {})) == bare(told, document["components"]["schemas"])


def test_every_tool_that_a_route_does_the_same_as_names_it() -> None:
    jobs = [name for name, tool in TOOLS.items() if tool.finish is not None]
    others = {
        "list_strategies", "get_strategy_info", "switch_active_strategy", "deploy_trading_agent", "execute_trade",
        "execute_multi_asset_trade", "neural_forecast", "neural_model_status", "scale_swarm", "shutdown_swarm",
        "init_e2b_swarm",
    }  # fmt: skip
    assert len(jobs) == 10
    assert set(WITH_TWINS) == set(jobs) | others
    assert all(TOOLS[name].listed.meta["route"] for name in WITH_TWINS)  # type: ignore[index]


def test_a_field_that_a_tool_settles_is_not_listed_and_not_given_otherwise() -> None:
    for name in WITH_TWINS:
        tool = TOOLS[name]
        assert tool.twin is not None
        assert not tool.twin.settled & set(tool.listed.input_schema["properties"])
        assert (
            "kind" not in tool.twin.settled
            or tool.input.model_fields["kind"].default == tool.twin.kind
            or name in ("execute_swarm_strategy", "init_e2b_swarm")
        )
