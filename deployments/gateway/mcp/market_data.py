"""Bars that tools look at; embedded data are read once."""

from functools import lru_cache

import numpy as np

from deployments.gateway.mcp.backend import Backend
from deployments.gateway.mcp.schema import OfData
from nt_ray.config import Settings
from nt_ray.config.sections import Data
from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel
from nt_ray.market.embedded import EMBEDDED
from nt_ray.trader.data import load_bars
from nt_ray.types import FloatArray

KEPT = 16


def data_of(settings: Settings, asked: OfData, symbols: tuple[str, ...] = ()) -> Data:
    """Section `[data]` as a call asks for it; the server's own choices hold where it says nothing."""
    own = settings.data if asked.source is None else Data(source=asked.source)
    changes = {"symbols": symbols, "start": asked.start, "end": asked.end}
    data = own.model_copy(update={key: value for key, value in changes.items() if value})
    if data.start is not None and data.end is not None and data.end < data.start:
        raise BadInputError(f"end {data.end} is before start {data.start}. Exchange them.")
    return data


def bars_of(backend: Backend, asked: OfData, symbols: tuple[str, ...] = ()) -> BarPanel:
    """Load the bars of a call."""
    data = data_of(backend.settings, asked, symbols)
    return _embedded(data) if data.source in EMBEDDED else load_bars(data)


@lru_cache(maxsize=KEPT)
def _embedded(data: Data) -> BarPanel:
    return load_bars(data)


def returns_of(panel: BarPanel, most: int) -> FloatArray:
    """Latest `most` simple returns (T, N) of bars on which every instrument has a close."""
    closes = panel.closes[~np.isnan(panel.closes).any(axis=1)]
    if len(closes) < 3:
        raise BadInputError(
            f"Only {len(closes)} bars have a close of each of {', '.join(panel.symbols[:10])}. "
            "Give fewer symbols, or other days."
        )
    found: FloatArray = (closes[1:] / closes[:-1] - 1.0)[-most:]
    return found
