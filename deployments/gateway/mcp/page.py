"""docs/mcp.md, made from the catalogue: `nt-ray mcp --docs` prints it."""

from collections.abc import Iterable

from deployments.gateway.mcp.catalogue import TOOLS
from deployments.gateway.mcp.categories import PER_MINUTE
from deployments.gateway.mcp.prompts import listed
from deployments.gateway.mcp.tool import Tool

HEAD = """# Tools for AI assistants (MCP)

The platform speaks the Model Context Protocol: `nt-ray mcp` over standard input and output for an assistant on the same
machine, and streamable HTTP at `/mcp` of the gateway for anyone with a key or a token. The page is made from the code:
`nt-ray mcp --docs` prints it.

```json
{"mcpServers": {"nt-ray": {"command": "nt-ray", "args": ["mcp", "--role", "read_only"]}}}
```

What a tool takes is its JSON Schema, as `tools/list` gives it: unknown arguments, wrong types and values out of bounds
are refused. A tool that does what a route of the gateway does takes the model that the route takes, under the same
names; what it takes beside it, as the account or a key, is its own. What it answers has a schema too; a figure that is
undefined is `null`. A refusal is an answer with
`isError` and `{"error": {"code", "message", "status"}}`, whose code is stable. A tool is listed and called only where
the caller's role or key grants its scope; calls are counted by caller and category. Strategies are those of the
platform: no code and no path of a file comes through this door.

What is heavy is a job, of the kinds that `/api/v1/jobs` takes: behind the gateway a task of the cluster, over standard
input and output a thread of the command. The call tells of the job's id and progress where a client asks for it. Who
cancels the call or hangs up cancels the job. (Over HTTP a client of a protocol before 2026-07-28 cancels by hanging up
alone.) With a `job_key` of the caller's own the job goes on instead, and the same call again finds it, at work or done.
`neural_evaluate` works in the gateway itself: it tells how many windows it has forecast, and ends with the batch that
it is at once its caller is gone. Other tools that read answer at once or within seconds.

Orders are known by their `client_order_id`: the same order again is not sent again, and another one under the same id
is refused.

A request over HTTP has a seat for as long as it lasts, as a stream has (`gateway.sockets_per_user`): who has none
left is refused with 429 before anything is done. No session is kept, so any replica answers any request. Each call
that changes something stands in the audit log, as `mcp.call`, with the tool, a digest of its arguments and its
outcome. An order, a switch or another change at once is done, whole, though the caller hangs up, and its entry says
what came of it; log lines of the account bear the id of the request, and where it is traced the account's steps stand
below a span `mcp.TOOL`.

Behind a proxy with a name of its own, that name has to stand in `gateway.origins` where the gateway listens on
loopback.
"""

RESOURCES = """
## Resources

`nt://tools` (what is there and what is missing), `nt://runs` and `nt://runs/NAME`, `nt://jobs` and `nt://jobs/ID`,
`nt://portfolios` and `nt://portfolios/ACCOUNT`, `nt://models` and `nt://models/NAME`, `nt://strategies` and `nt://strategies/NAME`.
"""


def page() -> str:
    """Write the page."""
    there = [tool for tool in TOOLS.values() if not tool.area]
    missing = [tool for tool in TOOLS.values() if tool.area]
    limits = ", ".join(f"{category.value} {limit}" for category, limit in PER_MINUTE.items())
    return (
        f"{HEAD}\nCalls a minute by category: {limits}.\n"
        f"\n## Tools ({len(there)})\n\n| tool | what it does | category | scope | | as |\n|---|---|---|---|---|---|\n"
        + "".join(_row(tool) for tool in there)
        + RESOURCES
        + "\n## Prompts\n\n"
        + "".join(f"- `{prompt.name}`: {prompt.description}\n" for prompt in listed())
        + f"\n## Named, not available ({len(missing)})\n\n"
        "These answer every call with the code `not_available` and the area that is missing, never with made-up "
        "data.\n\n" + "".join(_areas(missing))
    )


def _row(tool: Tool) -> str:
    hint = "destructive" if tool.destructive else "changes" if tool.changes else "reads"
    route = "" if tool.twin is None else f"`{tool.twin.route}`"
    told = (f"`{tool.name}`", tool.description, tool.category.value, tool.scope.value, hint, route)
    return f"| {' | '.join(told)} |\n"


def _areas(missing: Iterable[Tool]) -> list[str]:
    by_area: dict[str, list[str]] = {}
    for tool in missing:
        by_area.setdefault(tool.area, []).append(f"`{tool.name}`")
    return [f"- {area}: {', '.join(names)}\n" for area, names in by_area.items()]
