"""Options that several commands share, and how they become overrides of settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nt_ray.errors import BadInputError

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file; else ./config.toml if there is one."),
]
SetValues: TypeAlias = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set any key; may be repeated.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]
Progress: TypeAlias = Annotated[bool, typer.Option("--progress/--no-progress", help="Show progress.")]
Browse: TypeAlias = Annotated[
    bool | None, typer.Option("--open/--no-open", help="Open the tear sheet; by default at a screen only.")
]

# Values of these stay text: the settings tree reads and checks them, as it does for `--set`.
Topology: TypeAlias = Annotated[str | None, typer.Option(metavar="SHAPE", help="star, hierarchical, ring or mesh.")]
Rule: TypeAlias = Annotated[str | None, typer.Option(metavar="RULE", help="mean, median, trimmed, majority or hedge.")]
Hosts: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="N", help="Processes that hold the agents."),
]
Source: TypeAlias = Annotated[
    str | None,
    typer.Option("--source", "--data", metavar="NAME|PATH", help="Embedded data, or a CSV or Parquet file or folder."),
]
Symbols: TypeAlias = Annotated[str | None, typer.Option(metavar="A,B,C", help="Symbols, separated by commas.")]
Start: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="First day, such as 2015-01-02."),
]
End: TypeAlias = Annotated[str | None, typer.Option(metavar="DATE", help="Last day, included.")]
Cash: TypeAlias = Annotated[str | None, typer.Option(metavar="AMOUNT", help="Initial cash in all accounts together.")]
Seed: TypeAlias = Annotated[str | None, typer.Option(metavar="N", help="Seed of everything random.")]
Runs: TypeAlias = Annotated[str | None, typer.Option(metavar="FOLDER", help="Folder that takes the run's folder.")]


def help_text(summary: str, *examples: str) -> str:
    """Help of a command: a summary, and examples on lines of their own."""
    # The backspace keeps the lines of a paragraph as they are.
    return "\n".join([summary, "", "\b", *examples])


def overrides_from(named: Mapping[str, str | None], set_values: list[str] | None) -> dict[str, str]:
    """Overrides of the options that were given; a `--set` wins over the option of the same key."""
    overrides = {key: value for key, value in named.items() if value is not None}
    for text in set_values or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise BadInputError(f"--set {text} has no KEY=VALUE form. Write it like --set swarm.hosts=8.")
        overrides[key.strip()] = value
    return overrides
