"""What `nt-ray models` prints: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from nt_ray.neural.drift.drift import Drift
    from nt_ray.neural.drift.warm_start import Retrained
    from nt_ray.neural.registry.aliases import Event
    from nt_ray.neural.registry.evidence import Evidence
    from nt_ray.neural.registry.registry import Description, ModelSummary


def summary(model: "ModelSummary") -> dict[str, Any]:
    """One model of a listing as JSON values."""
    return {"name": model.name, "versions": list(model.versions), "aliases": dict(model.aliases)}


def line(event: "Event") -> str:
    """One event of a history in words."""
    before = f" (was {event.before.version})" if event.before is not None else ""
    what = f"{event.action} {event.alias or ''} {event.version}{before}"
    score = ""
    if event.evidence is not None and "score" in event.evidence:
        told = event.evidence
        score = f"  {told['metric']} {told['score']:.6g}, {told['naive_name']} {told['naive']:.6g}"
    return f"  {event.time:%Y-%m-%d %H:%M}  {event.by:<12}{' '.join(what.split())}{score}  {event.reason}".rstrip()


def show_version(found: "Description", *, as_json: bool) -> None:
    """Print one version."""
    manifest = found.manifest
    if as_json:
        known = {"aliases": list(found.aliases), "digest": manifest.digest, "size": manifest.size}
        typer.echo(json.dumps(manifest.model_dump(mode="json") | known))
        return
    typer.echo(f"{manifest.name}/{manifest.version}  {', '.join(found.aliases)}".rstrip())
    typer.echo(f"  registered {manifest.created:%Y-%m-%d %H:%M} by {manifest.by}, {manifest.size:,} bytes")
    for title, table in (("tags", manifest.tags), ("signature", manifest.signature), ("lineage", manifest.lineage)):
        for key, value in table.items():
            typer.echo(f"  {title + ' ' + key:<28}{value if isinstance(value, str) else json.dumps(value)}")
    for path, file in manifest.files.items():
        typer.echo(f"  {path:<28}{file.size:>12,}  sha256 {file.sha256}")


def show_score(found: "Evidence", against: Sequence[str]) -> None:
    """Print scores on fresh data, and what the gate would say."""
    typer.echo(f"{found.windows:,} windows from {found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}: {found.metric}")
    rows = [(f"version {found.version}", found.score), (f"{found.naive_name} forecast", found.naive)]
    if found.champion is not None:
        rows.append((f"champion, version {found.champion_version}", found.champion))
    for name, score in rows:
        typer.echo(f"  {name:<28}{score:>14.6g}")
    typer.echo(f"The gate would refuse it: {'; '.join(against)}." if against else "The gate would let it pass.")


def show_drift(found: "Drift", what: str) -> None:
    """Print what was found, column by column, and the verdict."""
    typer.echo(f"{'input':<24}{'rows':>8}{'shift':>9}{'index':>9}{'distance':>10}{'p':>11}{'missing':>9}")
    for column in found.inputs:
        typer.echo(
            f"{column.name:<24}{column.rows:>8,}{column.shift:>9.3f}{column.index:>9.3f}{column.distance:>10.3f}"
            f"{column.p:>11.3g}{column.missing:>9.1%}{'  drifted' if column.drifted else ''}"
        )
    if found.errors is not None:
        typer.echo(
            f"errors: {found.errors.highest:.1f} of {found.errors.threshold:.1f} over {found.errors.rows:,} rows"
        )
    for interval in found.coverage:
        typer.echo(
            f"intervals of {interval.level:.0%}: cover {interval.share:.1%}, "
            f"{interval.watch.highest:.1f} of {interval.watch.threshold:.1f}"
        )
    verdict = (
        f"{what} should be trained anew: {'; '.join(found.reasons)}" if found.retrain else f"{what} has not drifted"
    )
    typer.echo(f"{verdict}.")


def say_holder(name: str, alias: str, version: int, *, changed: bool, as_json: bool) -> None:
    """Print who holds an alias now."""
    if as_json:
        typer.echo(json.dumps({"name": name, "alias": alias, "version": version, "changed": changed}))
    else:
        typer.echo(f"{name}@{alias} {'is now' if changed else 'is already'} version {version}.")


def show_retrained(made: "Retrained") -> None:
    """Print a version that drift called for, its scores, and how it becomes champion."""
    typer.echo(f"{made.name}/{made.version}, trained anew from {made.warm_start}, is the challenger:")
    show_score(made.evidence, made.objections)
