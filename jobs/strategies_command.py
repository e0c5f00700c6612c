"""`nt-ray strategies`: what strategies there are, and what each takes."""

import json
from typing import Annotated, Any

import typer

from jobs.options import AsJson, help_text

LIST_HELP = help_text(
    "List the strategies, with the symbols each looks at and its other names.",
    "nt-ray strategies list",
    "nt-ray strategies list --json",
)
SHOW_HELP = help_text(
    "Show a strategy: its rule's source and every parameter with default and range.",
    "nt-ray strategies show pairs",
    "nt-ray strategies show my_strategy.py:MyStrategy --json",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A strategy's name or alias, or file.py:Object.")]

strategies_app = typer.Typer(help="List and explain strategies.", rich_markup_mode=None, no_args_is_help=False)


@strategies_app.callback(invoke_without_command=True)
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@strategies_app.command("list", help=LIST_HELP)
def list_strategies(as_json: AsJson = False) -> None:
    """List the strategies."""
    from nt_ray.strategies.registry import STRATEGIES

    if as_json:
        typer.echo(json.dumps([facts(s) for s in STRATEGIES], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for title in ("name", "symbols", "reads", "what it does"):
        table.add_column(title)
    for strategy in STRATEGIES:
        table.add_row(strategy.name, str(strategy.width), ", ".join(strategy.inputs), strategy.summary)
    Console().print(table)


@strategies_app.command("show", help=SHOW_HELP)
def show(name: Name, as_json: AsJson = False) -> None:
    """Show one strategy."""
    from nt_ray.strategies.registry import find

    known = facts(find(name))
    if as_json:
        typer.echo(json.dumps(known, indent=2))
        return
    typer.echo(f"{known['name']}: {known['summary']}\nSource: {known['source']}")
    typer.echo(f"Looks at {known['width']} symbol(s) at a time.")
    if known["inputs"]:
        typer.echo(f"Reads the extra field(s) {', '.join(known['inputs'])}.")
    if known["aliases"]:
        typer.echo(f"Also called {', '.join(known['aliases'])}.")
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for title in ("parameter", "default", "from", "to", "meaning", "also"):
        table.add_column(title)
    for p in known["parameters"]:
        numbers = (f"{p[key]:g}" for key in ("default", "low", "high"))
        table.add_row(p["name"], *numbers, p["description"], ", ".join(p["aliases"]))
    Console().print(table)


def facts(strategy: Any) -> dict[str, Any]:
    """Everything that a strategy says of itself, as JSON values."""
    return {
        "name": strategy.name,
        "summary": strategy.summary,
        "source": strategy.source,
        "width": strategy.width,
        "inputs": list(strategy.inputs),
        "aliases": list(strategy.aliases),
        "parameters": [
            {
                "name": p.name,
                "default": p.default,
                "low": p.low,
                "high": p.high,
                "integer": p.integer,
                "description": p.description,
                "aliases": list(p.aliases),
            }
            for p in strategy.parameters
        ],
    }
