"""The server: what clients list, read and call, each within the scopes of who asks.

It is the SDK's low-level server, so that this package alone decides how arguments are checked and errors told. Who
asks is found by the transport: `identify` gets the request's context.
"""

from collections.abc import Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from deployments.gateway.mcp import prompts, resources
from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.calling import AROUND, Asker, Caller
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.limits import CallLimits
from deployments.gateway.middleware.audit import AuditLog
from nt_ray.access.roles import Principal
from nt_ray.project import project

Context = ServerRequestContext[Any, Any]
Identify = Callable[[Context], Principal]

INSTRUCTIONS = (
    "A trading platform. Tools that read say so; those that trade are marked destructive: ask the person first. "
    "nt://tools says which tools are there and which are named only. Figures are computed when asked for; a figure "
    "that is undefined is null. Fractions are not percent: 0.05 is five percent."
)


def build_server(
    backend: Backend, identify: Identify, limits: CallLimits | None = None, audit: AuditLog | None = None
) -> Server[Any]:
    """Build a server over a backend; `identify` says who asks, and `audit` keeps what was changed."""
    caller = Caller(backend, limits or CallLimits(), audit)

    async def list_tools(context: Context, _: PaginatedRequestParams | None) -> ListToolsResult:
        principal = identify(context)
        return ListToolsResult(tools=[tool.listed for tool in TOOLS.values() if principal.may(tool.scope)])

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        report = context.session.report_progress
        state = {} if context.request is None else context.request.scope.get("state", {})
        asker = Asker(identify(context), state.get("address", ""), state.get("request_id", ""), state.get(AROUND))
        return await caller.call(asker, params.name, params.arguments or {}, report)

    async def list_resources(context: Context, _: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=resources.listed(identify(context)))

    async def list_templates(context: Context, _: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=resources.templates(identify(context)))

    async def read_resource(context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return await resources.read(backend, identify(context), str(params.uri))

    async def list_prompts(_: Context, __: PaginatedRequestParams | None) -> ListPromptsResult:
        return ListPromptsResult(prompts=prompts.listed())

    async def get_prompt(_: Context, params: GetPromptRequestParams) -> GetPromptResult:
        return prompts.filled(params.name, params.arguments or {})

    return Server(
        name="nt-ray",
        title="Neural Trader on Ray",
        version=project().version,
        instructions=INSTRUCTIONS,
        # Without it each call over HTTP lists all tools to find the one.
        get_tool_input_schema=_input_schema,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )


def _input_schema(name: str) -> dict[str, Any] | None:
    return TOOLS[name].listed.input_schema if name in TOOLS else None
