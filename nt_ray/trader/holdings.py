"""Where holdings come from: a CSV file, the end of a run, or a portfolio (an account: `trader/account_holdings.py`).

A source lists what is held; prices that it does not know are the last closes of the bars.
"""

import difflib
import json
import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from nt_ray.errors import ReportError
from nt_ray.market.bars import BarPanel, known_closes
from nt_ray.risk.heat import Stop
from nt_ray.risk.report.holdings import Holdings, Position, holdings_of, whole_stop
from nt_ray.risk.stress.classes import StressClass
from nt_ray.trader import files
from nt_ray.trader.csv_rows import Row, read_rows
from nt_ray.trader.portfolio import Portfolio
from nt_ray.types import MONEY_DECIMALS, FloatArray

REQUIRED: Final = ("symbol", "quantity")
OPTIONAL: Final = ("price", "stop", "asset_class", "sector")
"""Columns of a file of positions."""
_EXPOSURE = 1e-3
"""How far, as a fraction of equity, positions may lie from the exposure that a run has recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One line of what is held; the price is None where the source knows none."""

    symbol: str
    quantity: Decimal
    price: Decimal | None = None
    stops: tuple[Stop, ...] = ()
    asset_class: str = ""
    sector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a source says is held."""

    held: tuple[Held, ...]
    equity: Decimal | None
    """None: the sum of the values."""
    source: str
    gross: float | None = None
    """Gross exposure that the source itself has recorded, as a fraction of equity."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that are held."""
        return tuple(line.symbol for line in self.held if line.quantity)


def listing_of_file(path: Path, equity: Decimal | None = None) -> Listing:
    """Read a CSV of symbol, quantity and, where known, price, stop, asset_class and sector."""
    return Listing(
        held=tuple(_line(row) for row in read_rows(path, REQUIRED, OPTIONAL)), equity=equity, source=path.name
    )


def listing_of_run(folder: Path) -> Listing:
    """Read what a finished run held at its end: the sum of its fills."""
    summary = _summary(folder)
    fills = folder / files.FILLS
    table = pl.read_parquet(fills if fills.exists() else folder / files.TRADES, columns=["symbol", "side", "quantity"])
    signed = pl.when(pl.col("side") == "buy").then(pl.col("quantity")).otherwise(-pl.col("quantity"))
    sums = table.group_by("symbol", maintain_order=True).agg(signed.sum().alias("quantity")).sort("symbol")
    return Listing(
        held=tuple(Held(symbol=symbol, quantity=quantity) for symbol, quantity in sums.iter_rows()),
        equity=Decimal(repr(round(float(summary["final_equity"]), MONEY_DECIMALS))),
        source=f"{summary['name']}, {folder.resolve().name}",
        gross=float(pl.read_parquet(folder / files.EQUITY, columns=["gross"])["gross"][-1]),
    )


def listing_of_portfolio(portfolio: Portfolio) -> Listing:
    """Return what a portfolio over all accounts of a run holds."""
    return Listing(
        held=tuple(Held(symbol=symbol, quantity=quantity) for symbol, quantity in portfolio.positions.items()),
        equity=portfolio.equity,
        source="portfolio",
    )


def priced(listing: Listing, panel: BarPanel) -> Holdings:
    """Price what is held, at the last closes where the source knows no price."""
    closes = known_closes(panel.closes)[-1]
    positions = []
    for line in listing.held:
        if not line.quantity:
            continue
        price = line.price if line.price is not None else _close(panel, closes, line.symbol)
        positions.append(
            Position(
                symbol=line.symbol,
                quantity=line.quantity,
                price=price,
                stops=line.stops,
                asset_class=line.asset_class,
                sector=line.sector,
            )
        )
    holdings = holdings_of(positions, listing.equity, listing.source)
    _check_exposure(listing, holdings)
    return holdings


def _close(panel: BarPanel, closes: FloatArray, symbol: str) -> Decimal:
    (instrument,), close = panel.select([symbol]).instruments, float(closes[panel.symbols.index(symbol)])
    if not math.isfinite(close):
        raise ReportError(f"{symbol} has no close in {panel.name}. Give its price, or other data.")
    return instrument.price(int(np.rint(close / float(instrument.price_increment))))


def _check_exposure(listing: Listing, holdings: Holdings) -> None:
    """Refuse positions that do not give the exposure which the run has recorded, as after a split."""
    if listing.gross is None:
        return
    found = float(np.abs(holdings.weights).sum())
    if abs(found - listing.gross) > _EXPOSURE * max(1.0, listing.gross):
        raise ReportError(
            f"The fills of {listing.source} make a gross exposure of {found:.4f}, the run ended with "
            f"{listing.gross:.4f}. Corporate actions or other data explain it: give the positions as a file."
        )


def _line(row: Row) -> Held:
    quantity, price, stop = row.number("quantity"), row.optional("price"), row.optional("stop")
    for name, value in (("price", price), ("stop", stop)):
        if value is not None and value <= 0:
            raise row.wrong(f"{name} {value} is not positive", "Give a positive one, or leave it empty")
    kind = row.cells.get("asset_class", "").lower()
    if kind and kind not in tuple(StressClass):
        near = difflib.get_close_matches(kind, tuple(StressClass), n=1, cutoff=0.0)[0]
        raise row.wrong(
            f"there is no asset class {kind!r}", f"Its nearest is {near!r}; known: {', '.join(StressClass)}"
        )
    return Held(
        symbol=row.text("symbol"),
        quantity=quantity,
        price=price,
        stops=() if stop is None else (whole_stop(quantity, stop),),
        asset_class=kind,
        sector=row.cells.get("sector", ""),
    )


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / files.SUMMARY
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReportError(
            f"{str(folder)!r} holds no finished run. Give the folder of one, --positions FILE.csv or --account NAME."
        ) from None
    except (OSError, ValueError) as error:
        raise ReportError(f"{str(path)!r} cannot be read ({error}). Run again, or restore the file.") from error
    return found
