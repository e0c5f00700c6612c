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
are refused. What it answers has a schema too; a figure that is undefined is `null`. A refusal is an answer with
`isError` and `{"error": {"code", "message", "status"}}`, whose code is stable. A tool is listed and called only where
the caller's role or key grants its scope; calls are counted by caller and category. Long calls tell of their progress
where a client asks for it, and end where it cancels. Strategies are those of the platform: no code and no path of a
file comes through this door.
"""

RESOURCES = """
## Resources

`nt://tools` (what is there and what is missing), `nt://runs` and `nt://runs/NAME`, `nt://portfolios` and
`nt://portfolios/ACCOUNT`, `nt://models` and `nt://models/NAME`, `nt://strategies` and `nt://strategies/NAME`.
"""


def page() -> str:
    """Write the page."""
    there = [tool for tool in TOOLS.values() if not tool.area]
    missing = [tool for tool in TOOLS.values() if tool.area]
    limits = ", ".join(f"{category.value} {limit}" for category, limit in PER_MINUTE.items())
    return (
        f"{HEAD}\nCalls a minute by category: {limits}.\n"
        f"\n## Tools ({len(there)})\n\n| tool | what it does | category | scope | |\n|---|---|---|---|---|\n"
        + "".join(_row(tool) for tool in there)
        + RESOURCES
        + "\n## Prompts\n\n"
        + "".join(f"- `{prompt.name}`: {prompt.description}\n" for prompt in listed())
        + f"\n## Named, not available ({len(missing)})\n\n"
        "These answer every call with the code `not_available` and the area that is missing, never with made-up "
        "data.\n\n" + "".join(_areas(missing))
    )


def _row(tool: Tool) -> str:
    hint = "destructive" if tool.destructive else "keeps a run or a model" if tool.changes else "reads"
    return f"| `{tool.name}` | {tool.description} | {tool.category.value} | {tool.scope.value} | {hint} |\n"


def _areas(missing: Iterable[Tool]) -> list[str]:
    by_area: dict[str, list[str]] = {}
    for tool in missing:
        by_area.setdefault(tool.area, []).append(f"`{tool.name}`")
    return [f"- {area}: {', '.join(names)}\n" for area, names in by_area.items()]
