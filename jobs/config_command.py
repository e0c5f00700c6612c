"""`nt-ray config`: show, validate and document settings."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.options import AsJson, by_file, command_group, help_text

if TYPE_CHECKING:
    from nt_ray.config import Settings

SHOW_HELP = help_text(
    "Print every setting in effect, as TOML that --config takes back.",
    "nt-ray config show",
    "NT_SWARM__TOPOLOGY=mesh nt-ray config show --json",
)
VALIDATE_HELP = help_text(
    "Check a file together with the environment: every key, value, strategy and parameter.",
    "nt-ray config validate",
    "nt-ray config validate experiments/mesh.toml",
)
DOCS_HELP = help_text(
    "Print the reference page of all settings.", "nt-ray config docs", "nt-ray config docs > docs/configuration.md"
)

config_app = command_group("Show, validate and document settings.", "nt-ray config show")


@config_app.command("show", help=SHOW_HELP)
@by_file
def show(settings: "Settings", as_json: AsJson = False) -> None:
    """Print every setting in effect, as TOML that --config takes back."""
    from nt_ray.config import to_toml

    typer.echo(json.dumps(settings.resolved(), indent=2) if as_json else to_toml(settings), nl=as_json)


@config_app.command("validate", help=VALIDATE_HELP)
def validate(
    path: Annotated[Path | None, typer.Argument(help="TOML file; else ./config.toml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a file together with the environment: every key, value, strategy and parameter."""
    from nt_ray.config import load_settings
    from nt_ray.strategies.registry import find

    strategies = load_settings(path).strategies
    for name in strategies.enabled:
        find(name)
    for name, variants in strategies.variants.items():
        for parameters in variants:
            find(name).vector(parameters)
    typer.echo(json.dumps({"valid": True}) if as_json else "The settings are valid.")


@config_app.command("docs", help=DOCS_HELP)
def docs() -> None:
    """Print the reference page of all settings, docs/configuration.md."""
    from nt_ray.config.reference import reference_page

    typer.echo(reference_page(), nl=False)
