"""The past of a portfolio's assets: returns between closes that all of them have."""

from dataclasses import dataclass

import numpy as np

from nt_ray.errors import RiskError
from nt_ray.market.bars import BarPanel
from nt_ray.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Simple returns of N assets over their latest T common periods, oldest first."""

    symbols: tuple[str, ...]
    returns: FloatArray
    """(T, N), finite."""
    times: IntArray
    """(T,) nanoseconds since the epoch, UTC: when each return ends."""
    periods_per_year: float

    @property
    def stamps(self) -> tuple[str, ...]:
        """When each return ends, as ISO times; days where all are midnights."""
        unit = "D" if not np.any(self.times % 86_400_000_000_000) else "s"
        return tuple(str(moment) for moment in self.times.astype("datetime64[ns]").astype(f"datetime64[{unit}]"))


def history_of(panel: BarPanel, symbols: tuple[str, ...], most: int) -> History:
    """Take the latest `most` returns of these symbols; bars that lack the close of one of them are left out."""
    chosen = panel.select(symbols)
    common = ~np.isnan(chosen.closes).any(axis=1)
    if common.sum() < 3:
        raise RiskError(
            f"Only {int(common.sum())} bars have a close of every position. Give data that cover all of "
            f"{', '.join(symbols[:10])}."
        )
    closes, times = chosen.closes[common], panel.timestamps[common]
    returns = (closes[1:] / closes[:-1] - 1.0)[-most:]
    return History(
        symbols=tuple(symbols),
        returns=np.ascontiguousarray(returns),
        times=times[1:][-most:],
        periods_per_year=panel.periods_per_year,
    )
