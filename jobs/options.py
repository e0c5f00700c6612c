"""Options that several commands share, and how they become settings."""

import inspect
import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

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

StrategyName: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="STRATEGY", help="A strategy's name or alias, or file.py:Object.")
]
StrategyOption: TypeAlias = Annotated[
    str | None, typer.Option("--strategy", metavar="STRATEGY", help="The same as the argument; give one of them.")
]
StrategyNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="STRATEGY", help="Strategies of the agents by name, alias or file.py:Object."),
]
StrategyOptions: TypeAlias = Annotated[
    list[str] | None, typer.Option("--strategy", metavar="STRATEGY", help="The same; may be repeated.")
]
Params: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUES", help="Values 1,2,3 or low:high:step, ends included; repeat it."),
]
Values: TypeAlias = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Set a parameter; may be repeated.")
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

Who: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Who decides.")]
Reason: TypeAlias = Annotated[str, typer.Option(metavar="TEXT", help="Why.")]
BrokerName: TypeAlias = Annotated[str, typer.Argument(metavar="BROKER", help="A broker of the settings.")]
Live: TypeAlias = Annotated[
    bool, typer.Option("--live", help="Consent to real money, with live = true in the settings.")
]


def command_group(summary: str, *examples: str) -> typer.Typer:
    """Commands under one name, which by itself prints their help."""
    group = typer.Typer(help=help_text(summary, *examples), rich_markup_mode=None, no_args_is_help=False)

    @group.callback(invoke_without_command=True)
    def without_command(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return group


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


def _joined(given: list[tuple[str, str | list[str] | None]]) -> dict[str, str | None]:
    """Values by key; a list becomes text that the settings read as one, whatever is in its names."""
    found: dict[str, str | None] = {key: value for key, value in given if not isinstance(value, list)}
    lists: dict[str, list[str]] = {}
    for key, value in given:
        if isinstance(value, list):
            lists.setdefault(key, []).extend(value)
    return found | {key: json.dumps(names) for key, names in lists.items() if names}


def amount(option: str, text: str) -> Decimal:
    """Read the number of an option, exactly."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise BadInputError(f"{option} {text} is no number. Write it like {option} 0.5.")
    return value


def day(option: str, text: str) -> date:
    """Read the day of an option."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"{option} {text} is no day. Write it like {option} 2012-12-31.") from None


def by_strategy(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take its `strategy` as an argument or as `--strategy`, and exactly once."""
    own = inspect.signature(command).parameters
    keyword = inspect.Parameter.KEYWORD_ONLY
    option = inspect.Parameter("named", keyword, default=None, annotation=StrategyOption)
    given = [
        p.replace(kind=keyword, default=None if name == "strategy" else p.default, annotation=kind)
        for name, p in own.items()
        for kind in [StrategyName if name == "strategy" else p.annotation]
    ]

    @wraps(command)
    def run(**values: Any) -> Any:
        argument, named = values.pop("strategy"), values.pop("named")
        if (argument is None) == (named is None):
            said = "no strategy is given" if named is None else f"both {argument} and --strategy {named} are given"
            raise BadInputError(f"It takes one strategy, and {said}. Name one; `nt-ray strategies list` names all.")
        return command(strategy=argument if named is None else named, **values)

    return _with_signature(run, [*given, option])


def _with_signature(run: Callable[..., Any], parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """Make a wrapper show parameters of its own to whoever inspects it, instead of those of what it wraps."""
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    del vars(run)["__wrapped__"]
    return run


SHARED: Final[Mapping[str, tuple[Any, str | None]]] = {
    "config": (ConfigFile, None),
    "source": (Source, "data.source"),
    "symbols": (Symbols, "data.symbols"),
    "start": (Start, "data.start"),
    "end": (End, "data.end"),
    "cash": (Cash, "account.initial_cash"),
    "seed": (Seed, "seed"),
    "runs": (Runs, "runs"),
    "set_values": (SetValues, None),
}
"""Options of every command that works by the settings: their types, and the keys that they set."""


def by_settings(**keys: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a command take `settings`: it gets the options of `SHARED`, which are read, checked and handed over as one.

    `keys` are settings that options of the command's own set, by the name of the option; their values stay text. Lists
    for one key are put together.
    """
    return _reading(SHARED, keys)


def by_file_and(**keys: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a command take `settings` as `by_file` does, with `keys` that its own options set, as `by_settings` does."""
    return _reading({name: SHARED[name] for name in ("config", "set_values")}, keys)


def by_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take `settings`, read from its file, the environment and `--set` alone."""
    return by_file_and()(command)


def _reading(
    options: Mapping[str, tuple[Any, str | None]], keys: Mapping[str, str]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command options in place of its `settings`."""

    def wrap(command: Callable[..., Any]) -> Callable[..., Any]:
        own = {n: p for n, p in inspect.signature(command).parameters.items() if n != "settings"}
        shared = {
            name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for name, (kind, _) in options.items()
        }

        @wraps(command)
        def run(**given: Any) -> Any:
            from nt_ray.config import load_settings

            taken = {name: given.pop(name, None) for name in shared}
            named = {key: taken[name] for name, (_, key) in options.items() if key is not None}
            named |= _joined([(key, given.pop(name)) for name, key in keys.items()])
            settings = load_settings(taken["config"], overrides_from(named, taken["set_values"]))
            return command(settings=settings, **given)

        # How to answer comes last in the help, after what to do.
        ordered = sorted((own | shared).values(), key=lambda p: p.annotation in (AsJson, Progress, Browse))
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in ordered]
        return _with_signature(run, parameters)

    return wrap
