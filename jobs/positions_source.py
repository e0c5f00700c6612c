"""Which portfolio a command looks at: the end of a run, a CSV of positions, or an account; and the bars of its past."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jobs.options import amount, overrides_from
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.market.bars import BarPanel
    from nt_ray.risk.report.holdings import Holdings
    from nt_ray.trader.holdings import Listing

LATEST = Path("runs/latest")

RunFolder: TypeAlias = Annotated[
    Path | None, typer.Argument(metavar="RUN", help="Folder of a finished run; runs/latest where nothing is given.")
]
PositionsFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--positions", metavar="FILE", help="CSV: symbol, quantity[, price, stop, asset_class, sector]."),
]
AccountName: TypeAlias = Annotated[
    str | None, typer.Option("--account", metavar="BROKER", help="Account of a broker of the settings, by its journal.")
]
Equity: TypeAlias = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="Equity behind a CSV; else the sum of its values.")
]


@dataclass(frozen=True, slots=True)
class Sourced:
    """A portfolio, the bars of its symbols, the run's folder where it is that of a run, and the settings."""

    holdings: "Holdings"
    panel: "BarPanel"
    folder: Path | None
    settings: "Settings"


def portfolio_of(
    *,
    run: Path | None,
    positions: Path | None,
    account: str | None,
    equity: str | None,
    config: Path | None,
    data: dict[str, str | None],
    set_values: list[str] | None,
) -> Sourced:
    """Read the one source that is given; `data` are options by the keys they set.

    The past of a run is all of its data up to its end, not only the bars that it traded.
    """
    from nt_ray.config import load_settings
    from nt_ray.trader.account_holdings import listing_of_account
    from nt_ray.trader.data import load_bars
    from nt_ray.trader.files import SETTINGS
    from nt_ray.trader.holdings import listing_of_file, listing_of_run, priced

    given = [str(source) for source in (run, positions, account) if source is not None]
    if len(given) > 1:
        raise BadInputError(f"{given[0]} and {given[1]} are both given. Give one run, --positions or --account.")
    if equity is not None and positions is None:
        raise BadInputError(f"--equity {equity} belongs to --positions. Runs and accounts know theirs; leave it out.")
    folder = (run or LATEST) if not given or run is not None else None
    listing: Listing
    if folder is not None:
        listing = listing_of_run(folder)
        config = config or folder / SETTINGS
    elif positions is not None:
        listing = listing_of_file(positions, None if equity is None else _positive(equity))
    settings = load_settings(config, overrides_from(data, set_values))
    if account is not None:
        listing = listing_of_account(settings, account)
    bars = settings.data.model_copy(update={"symbols": listing.symbols})
    if folder is not None and data.get("data.start") is None:
        bars = bars.model_copy(update={"start": None})
    if not listing.symbols:
        raise BadInputError(f"{listing.source} holds no position, so nothing is at risk. Give one that does.")
    panel = load_bars(bars)
    return Sourced(priced(listing, panel), panel, folder, settings)


def _positive(equity: str) -> Decimal:
    value = amount("--equity", equity)
    if value <= 0:
        raise BadInputError(f"--equity {equity} is not positive. Give what the positions and the cash are worth.")
    return value
