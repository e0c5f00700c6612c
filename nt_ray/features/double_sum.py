"""Error-free sums: a running total kept as an unevaluated pair of floats, high and low part.

Owns the double-double arithmetic under every rolling sum. A pair carries about 106 bits, so a window into
which a million values went and out of which they came again still sums to the last bit. Knows nothing of
windows or bars.

Every function is inlined where it is called: handing over a slice of state costs more than the arithmetic.

Source: Knuth, TAOCP 2, 4.2.2 (TwoSum); Dekker (1971), Numerische Mathematik 18 (FastTwoSum, products); Joldes, Muller
and Popescu (2017), ACM Transactions on Mathematical Software 44, algorithm 6 (sum of pairs).
"""

from numba import float64, int64, njit, types, void

from nt_ray.types import FloatArray

PAIR = types.UniTuple(float64, 2)  # type: ignore[no-untyped-call]

SPLITTER = 134217729.0
"""2^27 + 1: splits a float into two halves of 26 bits."""


@njit(PAIR(float64, float64), cache=True, nogil=True, forceinline=True)
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return the rounded sum of two floats and its exact error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@njit(PAIR(float64, float64), cache=True, nogil=True, forceinline=True)
def fast_two_sum(a: float, b: float) -> tuple[float, float]:
    """Return the rounded sum of two floats and its exact error, where `a` is zero or not the smaller in size."""
    total = a + b
    return total, b - (total - a)


@njit(PAIR(float64, float64), cache=True, nogil=True, forceinline=True)
def two_product(a: float, b: float) -> tuple[float, float]:
    """Return the rounded product of two floats (below 1e150 in size) and its exact error."""
    product = a * b
    scaled = SPLITTER * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = SPLITTER * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit(PAIR(float64, float64, float64, float64), cache=True, nogil=True, forceinline=True)
def pair_sum(a_high: float, a_low: float, b_high: float, b_low: float) -> tuple[float, float]:
    """Add two pairs."""
    high, error = two_sum(a_high, b_high)
    low, low_error = two_sum(a_low, b_low)
    high, error = fast_two_sum(high, error + low)
    return fast_two_sum(high, error + low_error)


@njit(PAIR(float64, float64, float64, float64), cache=True, nogil=True, forceinline=True)
def pair_product(a_high: float, a_low: float, b_high: float, b_low: float) -> tuple[float, float]:
    """Multiply two pairs."""
    high, low = two_product(a_high, b_high)
    return two_sum(high, low + (a_high * b_low + a_low * b_high))


@njit(void(float64[::1], float64), cache=True, nogil=True, forceinline=True)
def add(total: FloatArray, value: float) -> None:
    """Add a float to the running total, a (2,) slice of state."""
    total[0], total[1] = pair_sum(total[0], total[1], value, 0.0)


@njit(void(float64[::1], int64, float64, float64), cache=True, nogil=True, forceinline=True)
def replace(state: FloatArray, at: int, value: float, displaced: float) -> None:
    """Add a float to the running total at `state[at : at + 2]` and take another one away."""
    high, low = two_sum(value, -displaced)
    state[at], state[at + 1] = pair_sum(state[at], state[at + 1], high, low)


@njit(void(float64[::1], int64, float64, float64), cache=True, nogil=True, forceinline=True)
def replace_square(state: FloatArray, at: int, value: float, displaced: float) -> None:
    """Add the exact square of a float to the running total at `state[at : at + 2]` and take another one away."""
    high, low = two_product(value, value)
    old_high, old_low = two_product(displaced, displaced)
    high, low = pair_sum(high, low, -old_high, -old_low)
    state[at], state[at + 1] = pair_sum(state[at], state[at + 1], high, low)


@njit(void(float64[::1], float64, float64, float64), cache=True, nogil=True, forceinline=True)
def add_product(total: FloatArray, sign: float, a: float, b: float) -> None:
    """Add `sign` (+1 or -1) times the exact product of two floats to the running total."""
    high, low = two_product(a, b)
    total[0], total[1] = pair_sum(total[0], total[1], sign * high, sign * low)


@njit(float64(float64, PAIR, PAIR, PAIR), cache=True, nogil=True, forceinline=True)
def pair_deviation(
    count: float, products: tuple[float, float], a: tuple[float, float], b: tuple[float, float]
) -> float:
    """`count` * sum(xy) - sum(x) * sum(y) from three pairs, without cancellation.

    Divided by `count` squared it is the population covariance of the values in the totals.
    """
    high, low = pair_product(products[0], products[1], count, 0.0)
    other_high, other_low = pair_product(a[0], a[1], b[0], b[1])
    high, low = pair_sum(high, low, -other_high, -other_low)
    return high + low


@njit(float64(float64, float64[::1], float64[::1], float64[::1]), cache=True, nogil=True, forceinline=True)
def cross_deviation(count: float, products: FloatArray, a: FloatArray, b: FloatArray) -> float:
    """`pair_deviation` of three running totals, (2,) slices of state."""
    return float(pair_deviation(count, (products[0], products[1]), (a[0], a[1]), (b[0], b[1])))
