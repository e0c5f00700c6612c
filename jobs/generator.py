"""A trained generator of return paths: by the name of a registered version or its folder, and as a stress."""

from typing import TYPE_CHECKING, Final

import numpy as np

from jobs.forecast_command import model_folder
from nt_ray.errors import BadInputError

if TYPE_CHECKING:
    from nt_ray.config import Settings
    from nt_ray.market.bars import BarPanel
    from nt_ray.neural.synthetic.source import PathSource
    from nt_ray.risk.stress.book import Book

SCENARIOS: Final = 1000
TAIL: Final = 0.05
"""Share of the paths, those that end lowest, whose mean is the stress."""


def generator_of(settings: "Settings", model: str) -> "PathSource":
    """Load a generator."""
    from nt_ray.neural.synthetic.source import PathSource

    return PathSource.load(model_folder(settings, model))


def synthetic_fall(source: "PathSource", panel: "BarPanel", horizon: int, seed: int) -> float:
    """Mean return of the worst paths over a horizon, from the state the generator's symbol is in where it is there."""
    from nt_ray.neural.synthetic.scenarios import SPANS, scenarios

    symbol, history = source.lineage.get("symbol"), None
    if symbol in panel.symbols:
        closes = panel.closes[:, panel.symbols.index(symbol)]
        returns = np.diff(np.log(closes[~np.isnan(closes)]))
        history = returns if len(returns) >= SPANS[-1] else None
    drawn = scenarios(source, SCENARIOS, horizon, history=history, seed=seed)
    return float(drawn.worst(TAIL)[:, -1].mean())


def moved_by(source: "PathSource", book: "Book") -> str:
    """What of a portfolio a generator's paths move: its symbol, else all equities."""
    symbol = str(source.lineage.get("symbol", ""))
    if symbol in book.names:
        return symbol
    if "equity" in book.classes:
        return "class:equity"
    raise BadInputError(f"The generator was trained on {symbol}, and the portfolio holds neither it nor equities.")
