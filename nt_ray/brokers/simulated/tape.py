"""What the market gives, as matching reads it: ticks, sessions, and terms of each instrument.

The event simulator adds its own terms, rates and corporate actions to these; a venue that keeps no money needs no
more.
"""

import numpy as np
from numba import float64, int64, njit, types

from nt_ray.brokers.simulated import tables
from nt_ray.brokers.simulated.matching import UNKNOWN_PRICE, Costs
from nt_ray.brokers.simulated.tables import TERM_FIELDS, Tape
from nt_ray.errors import BadInputError
from nt_ray.market.bars import BarPanel, Instrument
from nt_ray.types import BoolArray, FloatArray, IntArray


def terms_of(instrument: Instrument, costs: Costs) -> IntArray:
    """Terms of an instrument with these costs, every position free and without limit, shape (TERM_FIELDS,)."""
    row = np.zeros(TERM_FIELDS, dtype=np.int64)
    row[:5] = costs.vector(instrument.quantity_increment)
    row[tables.MAKER_PPM] = row[tables.TAKER_PPM]
    row[tables.BORROWABLE] = -1
    row[tables.UNIT] = instrument.notional_unit
    row[tables.CLOSE_ONLY] = int(instrument.close_only)
    return row


def calendar_of(bars: int, sessions: IntArray | None) -> BoolArray:
    """Where sessions start and end, (T, 3); `sessions` numbers each bar's, None makes each bar one of its own."""
    calendar = np.ones((bars, 3), dtype=np.bool_)
    calendar[:, tables.HAS_ACTIONS] = False
    if sessions is not None:
        if sessions.shape != (bars,) or bool((np.diff(sessions) < 0).any()):
            raise BadInputError(f"sessions must be numbers that never fall, one a bar. Give {bars} of them.")
        change = np.diff(sessions) > 0
        calendar[1:, tables.SESSION_START] = change
        calendar[:-1, tables.SESSION_END] = change
    return calendar


@njit(int64[:, :, ::1](types.Array(float64, 3, "C", readonly=True), float64[::1]), cache=True, nogil=True)
def ticks_of(values: FloatArray, increments: FloatArray) -> IntArray:
    """What `BarPanel.ticks` gives, (T, N, 4), in one pass."""
    bars, count = values.shape[0], values.shape[1]
    ticks = np.empty((bars, count, 4), dtype=np.int64)
    for t in range(bars):
        for c in range(count):
            for f in range(4):
                value = values[t, c, f]
                ticks[t, c, f] = UNKNOWN_PRICE if np.isnan(value) else np.int64(np.rint(value / increments[c]))
    return ticks


def plain_tape(panel: BarPanel, costs: Costs, sessions: IntArray | None = None) -> Tape:
    """Tape of a venue with these costs for every instrument, the worst case inside each bar, and nothing else."""
    bars, count = len(panel), len(panel.instruments)
    none = np.zeros((0, count), dtype=np.int64)
    return Tape(
        panel.values,
        ticks_of(panel.values, np.array([float(i.price_increment) for i in panel.instruments])),
        calendar_of(bars, sessions),
        np.zeros((0, 1), dtype=np.int64),
        none,
        np.zeros((0, count, 2), dtype=np.int64),
        none,
        np.array([terms_of(i, costs) for i in panel.instruments]),
        np.array([float(i.quantity_increment) for i in panel.instruments]),
        np.zeros((0, 3), dtype=np.int64),
        np.array([tables.WORST_CASE, 0, 0, 0, 0], dtype=np.int64),
    )
