"""The job of `nt-ray synthesize`: a generator of return paths, its paths as a table, and the page of its facts.

The folder follows from settings and returns, so the same again goes on where it was stopped.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import typer
from pydantic import ValidationError
from rich.console import Console

from actors.training_run import register_bundle, run_folder
from jobs.generator import generator_of
from jobs.progress import counting
from nt_ray.config import Settings, to_toml
from nt_ray.errors import BadInputError, StorageError
from nt_ray.market.bars import BarPanel
from nt_ray.neural.problems import NeuralError
from nt_ray.neural.synthetic.durable import train_generator
from nt_ray.neural.synthetic.rivals import rivals
from nt_ray.neural.synthetic.settings import GanSettings
from nt_ray.neural.synthetic.source import PathSource
from nt_ray.neural.synthetic.stylised_facts import Facts, distances, facts
from nt_ray.neural.synthetic.training import data_hash
from nt_ray.neural.training.device import on_threads
from nt_ray.reports.record import to_plain
from nt_ray.reports.synthetic_page import SyntheticReport, write_synthetic
from nt_ray.trader.data import load_bars
from nt_ray.trader.files import SETTINGS, SUMMARY
from nt_ray.types import FloatArray

BUNDLE: Final = "model"
PAGE, PATHS = "synthetic.html", "paths.parquet"
NETWORK: Final = "network"
JUDGED: Final = 100
"""Paths of each source whose facts are compared."""
NOTE: Final = "The network's loss holds the four curves of the fitted period: there its distances are a fit."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made; see `nt-ray synthesize --help`."""

    values: Mapping[str, float]
    model: str | None
    paths: int
    length: int
    out: Path | None
    register: str | None
    resume: bool


def run(settings: Settings, wanted: Wanted, *, as_json: bool = False, progress: bool = True) -> int:
    """Train and draw, or draw alone; print where it is, or one JSON object."""
    if wanted.out is not None and wanted.out.suffix not in (".parquet", ".csv"):
        raise BadInputError(f"--out {wanted.out} is neither .parquet nor .csv. Name one of these.")
    console = Console(stderr=as_json)
    with on_threads(settings.neural.training.threads):
        if wanted.model is None:
            told = _made(settings, wanted, console, shown=progress and not as_json)
        else:
            source = generator_of(settings, wanted.model)
            place = wanted.out or Path(PATHS)
            _draw(source, wanted, int(source.lineage["rows"]), settings.seed, place)
            told = {"model": wanted.model, "paths": str(place)}
    if as_json:
        typer.echo(json.dumps(told))
    else:
        for name, value in told.items():
            if not isinstance(value, dict):
                console.print(f"{name}: {value}", soft_wrap=True)
    return 0


def _made(settings: Settings, wanted: Wanted, console: Console, *, shown: bool) -> dict[str, Any]:
    bars = load_bars(settings.data)
    returns, asked = returns_of(bars), gan_settings(wanted.values, settings.seed)
    words = json.dumps([asked.model_dump(mode="json"), data_hash(returns)])
    label = f"synthesize-{bars.symbols[0]}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"
    folder = run_folder(settings, label, fresh=not wanted.resume)
    with counting(console, "training", shown=shown) as tell:
        training = train_generator(returns, asked, folder, tell)
    known = np.flatnonzero(~np.isnan(bars.closes[:, 0]))
    first, last = (bars.time(int(known[i])).isoformat() for i in (0, -1))
    lineage = {"symbol": bars.symbols[0], "source": settings.data.source, "start": first, "trained_until": last}
    source = PathSource.of(training, lineage)
    source.save(folder / BUNDLE)
    place = wanted.out or folder / PATHS
    _draw(source, wanted, len(returns), settings.seed, place)
    told = {
        "symbol": bars.symbols[0], "rows": len(returns), "steps": training.step,
        "distances": _judged(source, returns, asked, f"{first[:10]} to {last[:10]}", folder),
        "folder": str(folder), "bundle": str(folder / BUNDLE), "paths": str(place), "page": str(folder / PAGE),
    }  # fmt: skip
    if wanted.register is not None:
        told["registered"] = register_bundle(settings, folder, wanted.register)
    plain: dict[str, Any] = to_plain(told)
    (folder / SETTINGS).write_text(to_toml(settings), encoding="utf-8")
    (folder / SUMMARY).write_text(json.dumps(plain, indent=2), encoding="utf-8")
    return plain


def returns_of(bars: BarPanel) -> FloatArray:
    """Log returns (n,) from close to close of the one instrument there is."""
    if len(bars.symbols) != 1:
        raise BadInputError(
            f"A generator learns one series, and the data have {len(bars.symbols)}. Name one with --symbols."
        )
    closes = bars.closes[:, 0]
    returns: FloatArray = np.diff(np.log(closes[~np.isnan(closes)]))
    return returns


def gan_settings(values: Mapping[str, float], seed: int) -> GanSettings:
    """Settings of a generator from parameters by name."""
    try:
        return GanSettings.model_validate({"seed": seed, **values})
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise NeuralError(
            f"--param {name}={first['input']:g}: {first['msg']}. There are: {', '.join(GanSettings.model_fields)}."
        ) from problem


def _judged(
    source: PathSource, returns: FloatArray, asked: GanSettings, period: str, folder: Path
) -> dict[str, dict[str, float]]:
    """Distances of the network and of its rivals from the history; writes the page."""
    real = facts(returns, asked.lags)
    drawn = {NETWORK: facts(source.paths(JUDGED, len(returns), seed=asked.seed), asked.lags)}
    note = NOTE
    try:
        others = rivals(returns)
    except NeuralError as problem:
        others, note = {}, f"{NOTE} Without rivals: {problem}"
    found: dict[str, Facts] = drawn | {
        name: facts(draw(JUDGED, len(returns), asked.seed), asked.lags) for name, draw in others.items()
    }
    name = str(source.lineage["symbol"])
    write_synthetic(SyntheticReport(name, period, real, found, {}, note), folder / PAGE)
    return {name: asdict(distances(real, one)) for name, one in found.items()}


def _draw(source: PathSource, wanted: Wanted, rows: int, seed: int, place: Path) -> None:
    """Write paths as a table: path, step, log return."""
    length = wanted.length or rows
    returns = source.paths(wanted.paths, length, seed=seed)
    path, step = (np.ravel(index).astype(np.int32) for index in np.indices(returns.shape))
    table = pl.DataFrame({"path": path, "step": step + 1, "return": returns.ravel()})
    try:
        table.write_csv(place) if place.suffix == ".csv" else table.write_parquet(place)
    except OSError as error:
        raise StorageError(f"{str(place)!r} cannot be written ({error.strerror}). Give another --out.") from error
