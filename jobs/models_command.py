"""`nt-ray models`: registered models, their versions and aliases, promotion through the gate, and drift.

Exit codes: 0, done; 1, drift was found, the gate would refuse, or a store could not be used; 2, what was asked for
makes no sense or is refused.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.models_display import line, say_holder, show_score, show_version, summary
from jobs.models_drift_command import DRIFT_HELP, FOUND, WATCH_HELP, Text, drift, pair, watch
from jobs.options import AsJson, by_file, by_settings, command_group, help_text
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.neural.registry.registry import Registry

LIST_HELP = help_text(
    "List the registered models with their versions and aliases.",
    "nt-ray models list",
    "nt-ray models list --json --set neural.registry=s3://bucket/models",
)
SHOW_HELP = help_text(
    "Show a model with the history of its aliases, or one version of it: files, signature, lineage, tags.",
    "nt-ray models show lstm",
    "nt-ray models show lstm@champion --json",
    "nt-ray models show lstm/3",
)
KINDS_HELP = help_text("List the networks that can be trained.", "nt-ray models kinds --json")
REGISTER_HELP = help_text(
    "Store the folder of a trained model as the next version under a name. It is read whole first: a model that could "
    "not forecast is refused. A version never changes; it gets its aliases by `promote`.",
    "nt-ray models register runs/latest/model lstm",
    "nt-ray models register runs/latest/model lstm --tag data=sp500 --tag author=ann",
)
PROMOTE_HELP = help_text(
    "Point an alias to a version. `champion` is given through a gate alone: the evidence must hold scores on data "
    "after all training, better than those of the champion and of a naive forecast. Other aliases need none.",
    "nt-ray models promote lstm/3 --alias challenger",
    "nt-ray models promote lstm@challenger --evidence runs/latest/evidence.json",
    'evidence.json: {"metric": "mse", "version": 3, "score": 0.81, "naive": 0.95, "naive_name": "repeat",',
    '  "champion_version": 2, "champion": 0.84, "windows": 500,',
    '  "start": "2024-01-02T00:00:00Z", "end": "2024-06-28T00:00:00Z"}',
)
SCORE_HELP = help_text(
    "Score a version on bars after all training, beside the champion and the naive forecast: the evidence for "
    "`promote`. Exit code 1 where the gate would refuse it.",
    "nt-ray models score lstm/3 --data prices/ --evidence evidence.json",
    "nt-ray models score lstm@challenger --symbols KO,PEP --json",
)
ROLLBACK_HELP = help_text(
    "Point an alias back to the version it had before. Again goes further back.",
    "nt-ray models rollback lstm",
    'nt-ray models rollback lstm --alias champion --reason "errors doubled since Monday"',
)
DELETE_HELP = help_text(
    "Delete a version that no alias points to. Its number is never given again.",
    "nt-ray models delete lstm/2",
)
Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="A model.")]
Alias: TypeAlias = Annotated[str, typer.Option(metavar="ALIAS", help="Such as champion or challenger.")]
Reason: TypeAlias = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the history.")]

models_app = command_group("Registered models: versions, aliases, promotion and drift.", "nt-ray models list")


@models_app.command("list", help=LIST_HELP)
@by_file
def list_models(settings: "Settings", as_json: AsJson = False) -> None:
    """List models."""
    registry = _registry(settings)
    models = registry.list()
    if as_json:
        typer.echo(json.dumps({"registry": registry.store.url, "models": [summary(model) for model in models]}))
        return
    if not models:
        typer.echo(f"{registry.store.url} holds no models yet. `nt-ray models register` adds one.")
        return
    typer.echo(f"{'model':<32}{'versions':>8}{'last':>6}  aliases")
    for model in models:
        held = ", ".join(f"{alias}={version}" for alias, version in model.aliases.items())
        typer.echo(f"{model.name:<32}{len(model.versions):>8}{max(model.versions, default=0):>6}  {held}".rstrip())


@models_app.command("show", help=SHOW_HELP)
@by_file
def show(
    settings: "Settings",
    what: Annotated[str, typer.Argument(metavar="NAME|NAME@ALIAS|NAME/N", help="A model, or a version of it.")],
    as_json: AsJson = False,
) -> None:
    """Show a model or a version."""
    registry = _registry(settings)
    if "@" in what or "/" in what:
        show_version(registry.describe(what), as_json=as_json)
        return
    model, events = registry.model(what), registry.history(what)
    if as_json:
        typer.echo(json.dumps(summary(model) | {"history": [event.model_dump(mode="json") for event in events]}))
        return
    typer.echo(f"{model.name}: versions {', '.join(map(str, model.versions)) or 'none'}")
    for alias, version in model.aliases.items():
        typer.echo(f"  {alias:<16}{version}")
    for event in events:
        typer.echo(line(event))


@models_app.command("kinds", help=KINDS_HELP)
def kinds(as_json: AsJson = False) -> None:
    """List the networks."""
    from nt_ray.neural.models.registry import every

    models = every()
    if as_json:
        told = [
            {"name": m.name, "summary": m.summary, "parameters": {p.name: p.default for p in m.parameters}}
            for m in models
        ]
        typer.echo(json.dumps({"kinds": told}))
        return
    for model in models:
        typer.echo(f"{model.name:<14}{model.summary}")


@models_app.command("register", help=REGISTER_HELP)
@by_file
def register(
    settings: "Settings",
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a trained model.")],
    name: Name,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A note; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Store a bundle as the next version."""
    tags = dict(pair("--tag", text, "author=ann") for text in tag or ())
    registry = _registry(settings)
    _check_loads(folder)
    version = registry.register(folder, name, tags)
    typer.echo(json.dumps({"name": name, "version": version}) if as_json else f"Registered {name}/{version}.")


@models_app.command("promote", help=PROMOTE_HELP)
@by_file
def promote(
    settings: "Settings",
    what: Text,
    alias: Alias = "champion",
    evidence: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON with the scores of the version and its rivals.")
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Point an alias to a version."""
    from nt_ray.neural.registry.evidence import read_evidence

    registry = _registry(settings)
    told = None if evidence is None else read_evidence(_content(evidence), str(evidence))
    manifest = registry.describe(what).manifest
    event = registry.promote(manifest.name, manifest.version, alias, told, reason=reason)
    say_holder(manifest.name, alias, manifest.version, changed=event is not None, as_json=as_json)


@models_app.command("score", help=SCORE_HELP)
@by_settings()
def score(
    settings: "Settings",
    what: Text,
    alias: Alias = "champion",
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the evidence there.")] = None,
    as_json: AsJson = False,
) -> int:
    """Score a version on fresh data."""
    from nt_ray.neural.registry.evidence import DEFAULT_GATE
    from nt_ray.neural.registry.fresh_scores import contestants, score_fresh, signatures
    from nt_ray.neural.training.choice import panel_for
    from nt_ray.trader.data import load_bars

    candidate, holder = contestants(_registry(settings), what, alias)
    target = candidate.target or settings.neural.training.target
    panel = panel_for(load_bars(settings.data), target, *signatures((candidate, holder)))
    found = score_fresh(candidate, holder, panel, settings.data.source)
    against = [*DEFAULT_GATE.objections(found, candidate.manifest, None if holder is None else holder.manifest)]
    text = found.model_dump_json(indent=2)
    if evidence is not None:
        _write(evidence, text)
    if as_json:
        typer.echo(json.dumps({"evidence": json.loads(text), "objections": against}))
    else:
        show_score(found, against)
    return FOUND if against else 0


@models_app.command("rollback", help=ROLLBACK_HELP)
@by_file
def rollback(
    settings: "Settings", name: Name, alias: Alias = "champion", reason: Reason = "", as_json: AsJson = False
) -> None:
    """Point an alias back."""
    version = _registry(settings).rollback(name, alias, reason=reason)
    say_holder(name, alias, version, changed=True, as_json=as_json)


@models_app.command("delete", help=DELETE_HELP)
@by_file
def delete(settings: "Settings", what: Text, reason: Reason = "", as_json: AsJson = False) -> None:
    """Delete a version."""
    registry = _registry(settings)
    manifest = registry.describe(what).manifest
    registry.delete(manifest.name, manifest.version, reason=reason)
    deleted = {"name": manifest.name, "deleted": manifest.version}
    typer.echo(json.dumps(deleted) if as_json else f"Deleted {manifest.name}/{manifest.version}.")


models_app.command("drift", help=DRIFT_HELP)(drift)
models_app.command("watch", help=WATCH_HELP)(watch)


def _check_loads(folder: Path) -> None:
    """Read a model whole: a network, or a generator of paths."""
    from nt_ray.neural.inference.bundle import load_bundle
    from nt_ray.neural.inference.folder import read_text
    from nt_ray.neural.synthetic.source import FORMAT, TEXT, PathSource

    if read_text(folder, TEXT).get("format") == FORMAT:
        PathSource.load(folder)
    else:
        load_bundle(folder)


def _registry(settings: "Settings") -> "Registry":
    from nt_ray.neural.registry.registry import open_registry

    return open_registry(settings.neural)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"--evidence {str(path)!r} cannot be written: {error.strerror}. Give another.") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}. Give the path of a file.") from error
