"""Where an order's price level is met while the market moves from one price to another: compiled, in ticks.

A limit is met where the market is at it or better, a stop where the market is at it or worse; both at once if that
is so from the start (a gap), else at the level itself. Market moves are monotone; the caller cuts a bar into such
moves. Knows no volume, no costs and no order table.
"""

from numba import boolean, int64, njit

from nt_ray.brokers.simulated.matching import MILLION, UNKNOWN_PRICE


@njit(int64(int64, int64, int64, int64), cache=True, nogil=True)
def limit_hit(side: int, limit: int, start: int, end: int) -> int:
    """Price at which a limit trades while the market moves from `start` to `end`, or `UNKNOWN_PRICE`."""
    if side * start <= side * limit:
        return start
    if side * end <= side * limit:
        return limit
    return UNKNOWN_PRICE


@njit(int64(int64, int64, int64, int64), cache=True, nogil=True)
def stop_hit(side: int, stop: int, start: int, end: int) -> int:
    """Price at which a stop triggers while the market moves from `start` to `end`, or `UNKNOWN_PRICE`.

    A buy stop is met where a sell limit would be.
    """
    return int(limit_hit(-side, stop, start, end))


@njit(int64(int64, int64, int64, boolean), cache=True, nogil=True)
def trailing_stop(side: int, extreme: int, trail: int, in_ppm: bool) -> int:
    """Stop price that trails `extreme`, the best price since the order works: at least a tick away, at least 1."""
    distance = max(extreme * trail // MILLION, 1) if in_ppm else trail
    return max(extreme + side * distance, 1)


@njit(int64(int64, int64, int64), cache=True, nogil=True)
def more_extreme(side: int, extreme: int, price: int) -> int:
    """Best price so far from where a trailing stop is measured: highest for a sell, lowest for a buy."""
    return min(extreme, price) if side > 0 else max(extreme, price)
