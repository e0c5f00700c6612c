"""The way of a call: may he, has he calls left, do the arguments fit, then the tool, then its answer.

A tool runs in a thread; what is heavy is a job that the call waits for, and holds no thread. A caller who goes away
ends the call: its job is cancelled, a tool that tells of its progress stops there, another one that reads runs to its
end and nobody reads its answer. What changes something at once is done, whole, though its caller goes, and its entry
says what came of it. Refusals are answers with a code; what is the server's own fault is logged and answered
`internal`. Calls of tools that change something stand in the audit log before they are answered; their work bears the
ids of the request, and its trace, into accounts and their logs.
"""

import functools
import hashlib
import json
import logging
import secrets
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Any, Final

import anyio
import anyio.from_thread
import anyio.to_thread
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, TextContent
from pydantic import BaseModel

from deployments.gateway.afterwards import finish, see_to
from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.call import Call
from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.limits import CallLimits
from deployments.gateway.mcp.problems import INTERNAL, Problem, problem_of, refused
from deployments.gateway.mcp.tool import Tool
from deployments.gateway.mcp.working import Report, work
from deployments.gateway.middleware.audit import AuditLog
from deployments.gateway.observability.tracing import call_span
from nt_ray.access.masking import masked
from nt_ray.access.roles import Principal
from nt_ray.errors import NeuralTraderError
from nt_ray.trading.origin import coming_from

AROUND: Final = "around"
"""Key of a request's context in its state; the protocol's own tasks may run in another one."""
THREADS: Final = 8
"""Tools at work at the same time in a process."""
WRITTEN_S: Final = 5.0
"""Seconds that the entry of a call may take whose caller is gone."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who calls, from where, in which request."""

    principal: Principal
    address: str = ""
    request: str = ""
    around: Context | None = None
    """Context of the request that brings the call; None where no request does."""


class Caller:
    """Calls of the tools over one backend."""

    def __init__(self, backend: Backend, limits: CallLimits, audit: AuditLog | None = None) -> None:
        self._backend = backend
        self._limits = limits
        self._audit = audit
        self._threads = anyio.CapacityLimiter(THREADS)

    async def call(self, asker: Asker, name: str, arguments: Mapping[str, Any], report: Report) -> CallToolResult:
        """Call a tool and return its answer, or the problem that it was refused with."""
        tool = TOOLS.get(name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message=f"There is no tool {name[:64]!r}. tools/list names them.")
        named = replace(asker, request=asker.request or secrets.token_hex(16))
        if not tool.is_done:
            return await self._done(tool, named, arguments, report)
        return await finish(self._change(tool, named, arguments, report), asker.around)

    async def _change(self, tool: Tool, asker: Asker, arguments: Mapping[str, Any], report: Report) -> CallToolResult:
        """Do what changes something in the name and the trace of its request."""
        with call_span(f"mcp.{tool.name}", {}) as here, coming_from(here._replace(request_id=asker.request)):
            return await self._done(tool, asker, arguments, report)

    async def _done(self, tool: Tool, asker: Asker, arguments: Mapping[str, Any], report: Report) -> CallToolResult:
        """Answer a call and write it down."""
        try:
            found = await self._answer(tool, asker.principal, arguments, report)
        except anyio.get_cancelled_exc_class():
            await see_to(self._write(tool, asker, arguments, "cancelled"), WRITTEN_S)
            raise
        problem = found if isinstance(found, Problem) else None
        try:
            await self._write(tool, asker, arguments, "ok" if problem is None else problem.code)
        except NeuralTraderError as error:
            # It has happened; the same call again finds it, by its own id.
            _log.warning("The call of %s could not be written down: %s", tool.name, error)
            return refused(problem_of(error))
        return refused(found) if isinstance(found, Problem) else _answered(found)

    async def _answer(
        self, tool: Tool, principal: Principal, arguments: Mapping[str, Any], report: Report
    ) -> BaseModel:
        try:
            principal.require(tool.scope)
            await self._limits.take(principal.id, tool.category)
            asked = tool.read(arguments)
            account = getattr(asked, "account", None)
            if account is not None:
                principal.require(tool.scope, account)
            return await self._run(tool, principal, asked, report)
        except NeuralTraderError as error:
            if error.status >= 500 and not tool.area:
                _log.warning("Tool %s failed: %s", tool.name, error)
            return problem_of(error)
        except Exception:  # noqa: BLE001 whatever a tool does, its caller is answered and the log says why
            _log.exception("Tool %s failed.", tool.name)
            return INTERNAL

    async def _run(self, tool: Tool, principal: Principal, asked: Any, report: Report) -> BaseModel:
        def tell(done: int, total: int, message: str) -> None:
            anyio.from_thread.run(report, float(done), float(total), message or None)

        call = Call(self._backend, principal, tell)
        in_thread = functools.partial(anyio.to_thread.run_sync, abandon_on_cancel=True, limiter=self._threads)
        try:
            made = await in_thread(functools.partial(tool.begin, call, asked))
            if tool.finish is not None:
                done = await work(self._backend, made, principal, asked.job_key, report)
                made = await in_thread(functools.partial(tool.finish, call, asked, done))
            answer: BaseModel = made
            return answer
        finally:
            # However it ended, nobody listens any more.
            call.stop()

    async def _write(self, tool: Tool, asker: Asker, arguments: Mapping[str, Any], outcome: str) -> None:
        """Write down who called a tool that changes something; its arguments as a digest, secrets masked before."""
        if self._audit is None or not tool.changes:
            return
        text = json.dumps(masked(arguments), sort_keys=True, separators=(",", ":"), default=str)
        details = {"key_id": asker.principal.credential, "arguments": hashlib.sha256(text.encode()).hexdigest()}
        named = ("account", "client_order_id")
        details |= {name: arguments[name] for name in named if isinstance(arguments.get(name), str)}
        entry = functools.partial(
            self._audit.append, "mcp.call", asker.principal.id, outcome=outcome, target=tool.name,
            address=asker.address, request=asker.request, details=details,
        )  # fmt: skip
        await anyio.to_thread.run_sync(entry)


def _answered(output: BaseModel) -> CallToolResult:
    told = output.model_dump(mode="json")
    text = TextContent(type="text", text=json.dumps(told, indent=1))
    return CallToolResult(content=[text], structured_content=told)
