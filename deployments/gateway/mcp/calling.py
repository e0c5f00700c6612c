"""The way of a call: may he, has he calls left, do the arguments fit, then the tool in a thread, then its answer.

A caller who goes away ends the call: a tool that tells of its progress stops there; any other runs to its end and
nobody reads its answer. Refusals are answers with a code; what is the server's own fault is logged and answered
`internal`.
"""

import functools
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import anyio
import anyio.from_thread
import anyio.to_thread
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, TextContent

from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.limits import CallLimits
from deployments.gateway.mcp.problems import INTERNAL, problem_of, refused
from deployments.gateway.mcp.schema import Output
from deployments.gateway.mcp.tool import Tool
from nt_ray.access.roles import Principal
from nt_ray.errors import NeuralTraderError

THREADS: Final = 8
"""Tools at work at the same time in a process."""

Report = Callable[[float, float | None, str | None], Coroutine[Any, Any, None]]

log = logging.getLogger(__name__)


class Caller:
    """Calls of the tools over one backend."""

    def __init__(self, backend: Backend, limits: CallLimits) -> None:
        self._backend = backend
        self._limits = limits
        self._threads = anyio.CapacityLimiter(THREADS)

    async def call(
        self, principal: Principal, name: str, arguments: Mapping[str, Any], report: Report
    ) -> CallToolResult:
        """Call a tool and return its answer, or the problem that it was refused with."""
        tool = TOOLS.get(name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"There is no tool {name[:64]!r}. tools/list names them.")
        try:
            principal.require(tool.scope)
            self._limits.take(principal.id, tool.category)
            asked = tool.read(arguments)
            account = getattr(asked, "account", None)
            if account is not None:
                principal.require(tool.scope, account)
            return _answered(await self._run(tool, principal, asked, report))
        except NeuralTraderError as error:
            if error.status >= 500 and not tool.area:
                log.warning("Tool %s failed: %s", name, error)
            return refused(problem_of(error))
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller has to be told)
            return _broken(name, error)

    async def _run(self, tool: Tool, principal: Principal, asked: Any, report: Report) -> Output:
        def tell(done: int, total: int, message: str) -> None:
            anyio.from_thread.run(report, float(done), float(total), message or None)

        call = Call(self._backend, principal, tell)
        work = functools.partial(tool.run, call, asked)
        try:
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)
        finally:
            # However it ended, nobody listens any more.
            call.stop()


def _broken(name: str, error: Exception) -> CallToolResult:
    log.error("Tool %s failed.", name, exc_info=error)
    return refused(INTERNAL)


def _answered(output: Output) -> CallToolResult:
    told = output.model_dump(mode="json")
    text = TextContent(type="text", text=json.dumps(told, indent=1))
    return CallToolResult(content=[text], structured_content=told)
