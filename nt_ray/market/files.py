"""Bars from files: CSV (plain or gzip) and Parquet, alone or as a folder of them.

In a folder every file adds instruments. CSV cells are read as text, so that an error can show what stands in
the file. Nothing is fetched from a network.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nt_ray.errors import MarketDataError
from nt_ray.market.alignment import align
from nt_ray.market.bars import BarPanel
from nt_ray.market.quality import Missing, Series
from nt_ray.market.tables import Reading, series_of

SUFFIXES = (".csv", ".csv.gz", ".parquet")
SEPARATORS = (",", ";", "\t", "|")


def read_bars(
    path: str | Path,
    *,
    symbol: str | None = None,
    timezone: str | None = None,
    adjust: bool = True,
    missing: Missing = "error",
    extra: Sequence[str] = (),
) -> BarPanel:
    """Read a file, or a folder of files, into a panel.

    Parameters
    ----------
    path
        A `.csv`, `.csv.gz` or `.parquet` file, or a folder of them; in a folder other files are not read.
    symbol
        Symbol of a file with one instrument; the file's stem where not given.
    timezone
        IANA zone of times of day that carry none. Dates alone are UTC days at midnight.
    adjust
        Where an adjusted close stands beside a close, scale prices by their ratio and volume inversely.
    missing
        A row without a price between two bars is an error, or with "skip" no bar.
    extra
        Further columns of numbers to keep as fields of these names; every file must have them. All other
        unknown columns are left out.
    """
    path = Path(path)
    reading = Reading(timezone, adjust, missing, tuple(extra))
    if path.is_dir():
        return read_many([(p, None) for p in bar_files(path)], path.name, reading)
    return read_many([(path, symbol)], path.name, reading)


def read_many(files: Sequence[tuple[Path, str | None]], name: str, reading: Reading) -> BarPanel:
    """Read several files, each with the symbol it has where it names none, into one panel called `name`."""
    series: list[Series] = []
    for path, symbol in files:
        series += series_of(read_table(path), path.name, symbol or _stem(path), reading)
    return align(series, name, reading.extra)


def bar_files(folder: Path) -> list[Path]:
    """Files of a folder that hold bars, by name; raises where there are none."""
    found = sorted(p for p in folder.iterdir() if _suffix(p) and not p.name.startswith(".") and p.is_file())
    if not found:
        raise MarketDataError(f"Folder {folder} holds no bars. Put {', '.join(SUFFIXES)} files into it.")
    return found


def _suffix(path: Path) -> str | None:
    return next((s for s in SUFFIXES if path.name.lower().endswith(s)), None)


def _stem(path: Path) -> str:
    return path.name[: -len(_suffix(path) or "")]


def read_table(path: Path) -> pl.DataFrame:
    """Read the cells of a file with a header: as text from CSV, with their types from Parquet."""
    if not path.is_file():
        raise MarketDataError(f"There is no file {path}. Check the path.")
    suffix = _suffix(path)
    if suffix is None:
        raise MarketDataError(f"{path.name} is of an unknown kind. Give a {', '.join(SUFFIXES)} file or a folder.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MarketDataError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
    if not content:
        raise MarketDataError(f"{path.name} is empty. Give a file with a header line and bars.")
    return _parquet(path, content) if suffix == ".parquet" else _csv(path, content)


def _parquet(path: Path, content: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise MarketDataError(
            f"{path.name} is not a Parquet file that can be read ({error}). Write it anew."
        ) from error


def _csv(path: Path, content: bytes) -> pl.DataFrame:
    try:
        # The content decides, not the name: browsers unpack downloads and keep the suffix.
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise MarketDataError(f"{path.name} is not text ({error}). Give UTF-8 CSV, plain or gzip.") from error
    if "\0" in text:
        raise MarketDataError(f"{path.name} is binary, not text. Give UTF-8 CSV, plain or gzip.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    header = text.split("\n", 1)[0]
    if not header.strip():
        raise MarketDataError(f"{path.name} has no header line. Name the columns in the first line.")
    separator = max(SEPARATORS, key=header.count)
    _refuse_twins(path, header, separator)
    try:
        table = pl.read_csv(io.StringIO(text), separator=separator, infer_schema=False, has_header=True)
    except pl.exceptions.PolarsError as error:
        reason = str(error).split("\n", 1)[0]
        raise MarketDataError(f"{path.name} is not a table ({reason}). Give the same columns in each line.") from error
    # Blank lines are no rows, and a column that a trailing separator makes is no column.
    return table.filter(~pl.all_horizontal(pl.all().is_null())).select(pl.exclude(r"^_duplicated_\d+$"))


def _refuse_twins(path: Path, header: str, separator: str) -> None:
    names = [n.strip() for n in next(csv.reader([header], delimiter=separator))]
    twice = next((n for n in names if n and names.count(n) > 1), None)
    if twice is not None:
        raise MarketDataError(f"{path.name} has two columns {twice!r}. Keep one, or rename the other.")
