"""`nt-ray strategies`: what strategies there are, and what each takes."""

import json
from typing import TYPE_CHECKING, Any

import typer

from jobs.options import AsJson, by_strategy, command_group, help_text

if TYPE_CHECKING:
    from nt_ray.strategies.base import Strategy
    from nt_ray.strategies.order_step import OrderStrategy

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

strategies_app = command_group("List and explain strategies.", "nt-ray strategies show pairs")


@strategies_app.command("list", help=LIST_HELP)
def list_strategies(as_json: AsJson = False) -> None:
    """List the strategies."""
    from nt_ray.strategies.registry import ORDER_STRATEGIES, STRATEGIES

    strategies: tuple[Strategy | OrderStrategy, ...] = (*STRATEGIES, *ORDER_STRATEGIES)
    known = [facts(s) for s in strategies]
    if as_json:
        typer.echo(json.dumps(known, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for title in ("name", "gives", "symbols", "reads", "what it does"):
        table.add_column(title)
    for s in known:
        table.add_row(s["name"], s["kind"], str(s["width"]), ", ".join(s["inputs"]), s["summary"])
    Console().print(table)


@strategies_app.command("show", help=SHOW_HELP)
@by_strategy
def show(strategy: str, as_json: AsJson = False) -> None:
    """Show one strategy."""
    known = facts(_found(strategy))
    if as_json:
        typer.echo(json.dumps(known, indent=2))
        return
    typer.echo(f"{known['name']}: {known['summary']}")
    if known["source"]:
        typer.echo(f"Source: {known['source']}")
    if known["kind"] == "orders":
        typer.echo("Gives orders, for `nt-ray backtest` and `nt-ray check`.")
    else:
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


def _found(name: str) -> "Strategy | OrderStrategy":
    """A strategy of targets or of orders, of the platform or of a file; plain Python has nothing to show."""
    from nt_ray.backtest.event.runnable import OfOrders, OfTargets, runnable
    from nt_ray.errors import StrategyError

    found = runnable(name, {})
    if isinstance(found, OfTargets | OfOrders):
        return found.strategy
    raise StrategyError(
        f"{name} is plain Python: its constructor takes its parameters. `nt-ray backtest {name}` runs it."
    )


def facts(strategy: "Strategy | OrderStrategy") -> dict[str, Any]:
    """Everything that a strategy says of itself, as JSON values."""
    from nt_ray.strategies.base import Strategy

    own: dict[str, Any] = {"kind": "orders", "source": "", "width": 1, "inputs": [], "aliases": []}
    if isinstance(strategy, Strategy):
        own = {"kind": "targets", "source": strategy.source, "width": strategy.width}
        own |= {"inputs": list(strategy.inputs), "aliases": list(strategy.aliases)}
    return {
        "name": strategy.name,
        **own,
        "summary": strategy.summary,
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
