"""A run's folder: settings, journals, trades, equity, agents, summary and tear sheet of one session."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from nt_ray.config import Settings, to_toml
from nt_ray.errors import ConfigError
from nt_ray.reports.png import write_png
from nt_ray.reports.record import RunRecord, summary
from nt_ray.reports.tear_sheet import write_tear_sheet
from nt_ray.trader import files
from nt_ray.trader.run_owners import claim


def create_run_folder(runs: Path, label: str, seed: int) -> Path:
    """Make a new folder under `runs`, named by UTC time, label and seed."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in range(1000):
            folder = runs.resolve() / (f"{stamp}-{label}-{seed}" + (f"-{number}" if number else ""))
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            claim(folder)
            return folder
    except OSError as error:
        raise ConfigError(
            f"The run folder {str(runs)!r} cannot be made ({error.strerror}). Give a writable folder with --runs."
        ) from error
    raise ConfigError(f"{str(runs)!r} holds a thousand runs of {stamp}. Clear it or give another with --runs.")


def write_run(folder: Path, record: RunRecord, settings: Settings, extra: dict[str, Any]) -> dict[str, Any]:
    """Write everything of a session that is not written while it goes on; return the summary."""
    write_table(record.trades, folder / files.TRADES, folder / files.TRADES_CSV)
    record.agents.write_parquet(folder / files.AGENTS)
    graph = {"topology": record.topology, "edges": [list(edge) for edge in record.edges]}
    (folder / files.GRAPH).write_text(json.dumps(graph), encoding="utf-8")
    return finish(folder, record, settings, extra)


def write_table(table: pl.DataFrame, parquet: Path, csv: Path) -> None:
    """Write a table in both forms."""
    table.write_parquet(parquet)
    table.write_csv(csv)


def finish(folder: Path, record: RunRecord, settings: Settings, extra: dict[str, Any]) -> dict[str, Any]:
    """Write settings, equity, summary, tear sheet and picture, and point `latest` here; return the summary."""
    (folder / files.SETTINGS).write_text(to_toml(settings), encoding="utf-8")
    pl.DataFrame(
        {
            "time": pl.Series(record.times).cast(pl.Datetime("ns", "UTC")),
            "equity": record.equity,
            "benchmark": record.benchmark,
            "gross": record.gross,
            "net": record.net,
            "costs": record.costs,
        }
    ).write_parquet(folder / files.EQUITY)
    result = {**summary(record), **extra, "folder": str(folder)}
    (folder / files.SUMMARY).write_text(json.dumps(result, indent=2), encoding="utf-8")
    write_tear_sheet(record, folder / files.TEAR_SHEET)
    write_png(record, folder / files.PICTURE)
    _point_latest(folder)
    return result


def _point_latest(folder: Path) -> None:
    """Let `latest` point at this run; where links are not possible the runs are still found by name."""
    link = folder.parent / files.LATEST
    try:
        if link.is_symlink() or not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(folder.name)
    except OSError:
        return
