"""Totals that one run of a sweep leaves: their places in a row, and what the status means."""

from typing import Final

FINAL, TRADES, FEES, HELD, RUINED, STATUS, ROW = range(7)
"""Whole totals: last equity in quanta, executions, commission in quanta, bars with a position, whether equity reached
zero, what went wrong, and on which row."""
WHOLE: Final = 7

RETURNS, SQUARES, DOWNSIDE, DRAWDOWN, TRADED, EQUITY = range(6)
"""Real totals: sums of returns, of their squares and of the squares of negative ones; the deepest drawdown; traded
notional and the sum of equity over bars, both in quanta. An account of one symbol adds bars without a position and
without an execution by their number, all at once."""
REAL: Final = 6

FINE, BAD_TARGET, BAD_CONFIDENCE, TOO_LARGE, BROKEN = range(5)
"""Values of `STATUS`; a broken run is one whose step raised."""
