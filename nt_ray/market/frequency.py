"""Bars in a year, told from the bars' own times and never from their number.

Daily bars with both days of the weekend are those of a market that never closes (365 a year), others those of
an exchange (252). Intraday bars count their bars in a session day. It knows no exchange calendars.
"""

import numpy as np

from nt_ray.types import IntArray

DAY_NS = 86_400_000_000_000
BUSINESS_DAYS = 252.0
CALENDAR_DAYS = 365.0
_SPACINGS = ((5.0, 9.0, 52.0), (26.0, 35.0, 12.0), (80.0, 100.0, 4.0), (340.0, 380.0, 1.0))
"""Median days between bars, from and to, and the bars a year they mean."""


def periods_per_year(timestamps: IntArray) -> float:
    """Infer the number of bars in a year.

    Parameters
    ----------
    timestamps
        (T,) nanoseconds since the epoch, UTC, strictly increasing. Fewer than two say nothing: 252.
    """
    if len(timestamps) < 2:
        return BUSINESS_DAYS
    spacing = float(np.median(np.diff(timestamps))) / DAY_NS
    days, bars = np.unique(timestamps // DAY_NS, return_counts=True)
    # Day 0 of the epoch was a Thursday, so Saturday and Sunday are remainders 2 and 3. Both are needed: some
    # exchanges trade on one of them, and evening sessions of futures start on a Sunday.
    never_closes = all(float(np.mean(days % 7 == day)) > 0.05 for day in (2, 3))
    year = CALENDAR_DAYS if never_closes else BUSINESS_DAYS
    if spacing < 0.8:
        # The first and the last day may be cut short.
        whole = bars[1:-1] if len(bars) > 2 else bars
        return float(np.ceil(np.median(whole))) * year
    if spacing < 2.0:
        return year
    for low, high, count in _SPACINGS:
        if low <= spacing <= high:
            return count
    return 365.25 / spacing
