"""Real market data that lie inside installed packages, so that the first run needs no file and no network.

The packages are found on disk and never imported: their data go through the same reader as anyone's files.
"""

import difflib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from nt_ray.errors import MarketDataError
from nt_ray.market.bars import BarPanel
from nt_ray.market.files import read_many
from nt_ray.market.tables import Reading


@dataclass(frozen=True, slots=True)
class _Source:
    """A package, the distribution that installs it, and its files with their symbols."""

    package: str
    distribution: str
    files: tuple[tuple[str, str | None], ...]
    description: str


_SOURCES = {
    "sp500": _Source(
        "skfolio",
        "skfolio",
        (("datasets/data/sp500_dataset.csv.gz", None),),
        "20 large US stocks, adjusted daily closes 1990-2022 (skfolio)",
    ),
    "sp500-index": _Source(
        "skfolio",
        "skfolio",
        (("datasets/data/sp500_index.csv.gz", None),),
        "S&P 500 index, daily closes 1990-2022 (skfolio)",
    ),
    "indices": _Source(
        "arch",
        "arch",
        (("data/sp500/sp500.csv.gz", "SP500"), ("data/nasdaq/nasdaq.csv.gz", "NASDAQ")),
        "S&P 500 and Nasdaq Composite, daily open, high, low, close, volume 1999-2018 (arch)",
    ),
    "stocks": _Source(
        "bokeh_sampledata",
        "bokeh-sampledata",
        (("_data/stocks.csv.gz", None),),
        "AAPL, FB, GOOG, IBM, MSFT, daily open, high, low, close, volume 2000-2013, adjusted (bokeh-sampledata)",
    ),
}

EMBEDDED: dict[str, str] = {name: source.description for name, source in _SOURCES.items()}
"""Names of the embedded data sets and what they hold."""


def load_embedded(name: str, reading: Reading | None = None) -> BarPanel:
    """Load an embedded data set by name."""
    source = _SOURCES.get(name)
    if source is None:
        near = difflib.get_close_matches(name, EMBEDDED, n=1, cutoff=0.0)[0]
        raise MarketDataError(
            f"There are no embedded data {name!r}. The nearest is {near!r}; known are {', '.join(EMBEDDED)}."
        )
    folder = _folder(source)
    return read_many([(folder / file, symbol) for file, symbol in source.files], name, reading or Reading())


def _folder(source: _Source) -> Path:
    spec = find_spec(source.package)
    if spec is None or not spec.submodule_search_locations:
        raise MarketDataError(
            f"Package {source.distribution} is not installed, and these data lie in it. "
            f"Run pip install {source.distribution}."
        )
    return Path(next(iter(spec.submodule_search_locations)))
