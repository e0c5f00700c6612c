"""`nt-ray mcp`: the platform as tools of an AI assistant."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.options import Live, by_settings, help_text

if TYPE_CHECKING:
    from nt_ray.config import Settings

MCP_HELP = help_text(
    "Serve tools to an AI assistant over standard input and output (Model Context Protocol) until the input ends; the "
    "assistant starts this command itself. Its log goes to standard error. The role says what it may do: read_only, "
    "user, service or admin.",
    "nt-ray mcp",
    "nt-ray mcp --role user --config live.toml",
    "nt-ray mcp --docs",
    'assistant: {"mcpServers": {"nt-ray": {"command": "nt-ray", "args": ["mcp"]}}}',
)

RoleName: TypeAlias = Annotated[str, typer.Option("--role", metavar="ROLE", help="What the assistant may do.")]
Docs: TypeAlias = Annotated[bool, typer.Option("--docs", help="Print the page of all tools instead.")]


@by_settings()
def mcp(settings: "Settings", role: RoleName = "read_only", live: Live = False, docs: Docs = False) -> None:
    """Serve over standard input and output, or print the page."""
    from deployments.gateway.mcp.page import page
    from deployments.gateway.mcp.stdio import serve_stdio
    from nt_ray.access.roles import Role
    from nt_ray.errors import BadInputError

    if docs:
        typer.echo(page(), nl=False)
        return
    try:
        known = Role(role)
    except ValueError:
        raise BadInputError(f"--role {role} is unknown. Use one of {', '.join(Role)}.") from None
    serve_stdio(settings, known, live=live)
