"""Standard normals from counted words by the transformation of Box and Muller (1958), in one or in double precision.

The functions of it are computed here, of products and sums in a fixed order, so that a number has the same bits on
every machine and in every vector width. Single precision takes four normals from the four words of a counter: a radius
from 32 bits reaches |z| = 6.7. Double precision takes two: 53 bits reach |z| = 8.6. Polynomials in single precision are
minimax fits of our own, those in double precision have the coefficients of FDLIBM.
"""

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int32, int64, njit, uint32, uint64, void
from numba.extending import overload

from nt_ray.risk.monte_carlo.words import NORMAL32, NORMAL64, Number, Words, fill_words
from nt_ray.types import FloatArray

Singles: TypeAlias = npt.NDArray[np.float32]

ROWS: Final = 4
"""Rows of normals come in multiples of this."""

_F = np.float32
_HALF, _ONE = _F(0.5), _F(1.0)
_LOG = tuple(
    _F(c)
    for c in (
        0.20213528244, -0.32445048767, 0.34501696393, -0.3980034641, 0.49939816552, -0.66670117357, 1.0000073027,
        -1.9999998906,
    )
)  # fmt: skip
"""-2 log(1 + m) / m within 1.7e-7, m from sqrt(1/2) - 1 to sqrt(2) - 1."""
_EXPONENT = _F(-2.0 * math.log(2.0))
_SIN = (_F(-1.9517297899e-4), _F(8.3321781361e-3), _F(-0.16666654943))
_COS = (_F(-1.3597822134e-3), _F(4.1656294489e-2), _F(-0.49999894779))
"""(sin(a) / a - 1) / a^2 and (cos(a) - 1) / a^2 within 4e-8 of the functions, a up to an eighth of a turn."""
_TURN = _F(math.pi / 2 * 2.0**-30)

_LOG64 = (
    1.479819860511658591e-1, 1.531383769920937332e-1, 1.818357216161805012e-1, 2.222219843214978396e-1,
    2.857142874366239149e-1, 3.999999999940941908e-1, 6.666666666666735130e-1,
)  # fmt: skip
_LN2, _LN2_REST = 6.93147180369123816490e-1, 1.90821492927058770002e-10
_SIN64 = (
    1.58969099521155010221e-10, -2.50507602534068634195e-8, 2.75573137070700676789e-6,
    -1.98412698298579493134e-4, 8.33333333332248946124e-3, -1.66666666666666324348e-1,
)  # fmt: skip
_COS64 = (
    -1.13596475577881948265e-11, 2.08757232129817482790e-9, -2.75573143513906633035e-7,
    2.48015872894767294178e-5, -1.38888888888741095749e-3, 4.16666666666666019037e-2,
)  # fmt: skip
_TURN64 = math.pi / 2 * 2.0**-51
_UNIT64 = 2.0**-53


@njit(void(uint32[::1], uint32[::1], float32[::1], float32[::1]), cache=True, nogil=True)
def normal_pair32(radius: Words, angle: Words, first: Singles, second: Singles) -> None:
    """Fill two rows of normals from two rows of words."""
    for s in range(radius.shape[0]):
        bits = np.float32(_F(radius[s]) + _HALF).view(np.int32)
        # 0x3f3504f3 is the square root of 1/2: the mantissa lies around 1.
        exponent = int32(int32(bits - int32(0x3F3504F3)) >> int32(23))
        m = np.int32(bits - int32(exponent << int32(23))).view(np.float32) - _ONE
        p = (((_LOG[0] * m + _LOG[1]) * m + _LOG[2]) * m + _LOG[3]) * m + _LOG[4]
        p = ((p * m + _LOG[5]) * m + _LOG[6]) * m + _LOG[7]
        r = math.sqrt(p * m + _F(int32(exponent - int32(32))) * _EXPONENT)
        # The nearest quarter turn exactly, in whole numbers; the rest is at most an eighth of a turn.
        quarter = int32(uint32(angle[s] + uint32(0x20000000)) >> uint32(30))
        a = _F(int32(int32(angle[s] << uint32(2)) >> int32(2))) * _TURN
        a2 = a * a
        sine = (((_SIN[0] * a2 + _SIN[1]) * a2 + _SIN[2]) * a2 + _ONE) * a
        cosine = ((_COS[0] * a2 + _COS[1]) * a2 + _COS[2]) * a2 + _ONE
        x = sine if quarter & int32(1) else cosine
        y = cosine if quarter & int32(1) else sine
        first[s] = r * (-x if quarter == 1 or quarter == 2 else x)
        second[s] = r * (-y if quarter >= 2 else y)


@njit(float64(float64), cache=True, nogil=True, error_model="numpy")
def log64(x: float) -> float:
    """Return the natural logarithm of a positive, normal number, within 1 ulp or so.

    The error model spares the check of the divisor, which is never zero and would keep a loop from being vectorised.
    """
    bits = np.float64(x).view(np.int64)
    # 0x3fe6a09e667f3bcd is the square root of 1/2.
    exponent = (bits - int64(0x3FE6A09E667F3BCD)) >> int64(52)
    f = np.int64(bits - (exponent << int64(52))).view(np.float64) - 1.0
    t = f / (2.0 + f)
    t2 = t * t
    p = ((_LOG64[0] * t2 + _LOG64[1]) * t2 + _LOG64[2]) * t2 + _LOG64[3]
    p = ((p * t2 + _LOG64[4]) * t2 + _LOG64[5]) * t2 + _LOG64[6]
    e, half = float64(exponent), 0.5 * f * f
    return e * _LN2 - ((half - (t * (half + t2 * p) + e * _LN2_REST)) - f)


@njit(void(uint32[::1], uint32[::1], float64[::1]), cache=True, nogil=True)
def _radius64(high: Words, low: Words, radius: FloatArray) -> None:
    for s in range(radius.shape[0]):
        u = (float64(high[s] >> uint32(5)) * 67108864.0 + (float64(low[s] >> uint32(6)) + 0.5)) * _UNIT64
        radius[s] = math.sqrt(-2.0 * log64(u))


@njit(void(uint32[::1], uint32[::1], float64[::1], float64[::1]), cache=True, nogil=True)
def _turn64(high: Words, low: Words, first: FloatArray, second: FloatArray) -> None:
    for s in range(first.shape[0]):
        quarter = int32(uint32(high[s] + uint32(0x20000000)) >> uint32(30))
        coarse = float64(int32(int32(high[s] << uint32(2)) >> int32(2)))
        a = (coarse * 2097152.0 + float64(low[s] >> uint32(11))) * _TURN64
        a2 = a * a
        p = ((_SIN64[0] * a2 + _SIN64[1]) * a2 + _SIN64[2]) * a2 + _SIN64[3]
        q = ((_COS64[0] * a2 + _COS64[1]) * a2 + _COS64[2]) * a2 + _COS64[3]
        sine = ((p * a2 + _SIN64[4]) * a2 + _SIN64[5]) * a2 * a + a
        cosine = ((q * a2 + _COS64[4]) * a2 + _COS64[5]) * a2 * a2 - 0.5 * a2 + 1.0
        x = sine if quarter & int32(1) else cosine
        y = cosine if quarter & int32(1) else sine
        r = first[s]
        first[s] = r * (-x if quarter == 1 or quarter == 2 else x)
        second[s] = r * (-y if quarter >= 2 else y)


@njit(void(uint32[:, ::1], float64[::1], float64[::1]), cache=True, nogil=True)
def normal_pair64(words: Words, first: FloatArray, second: FloatArray) -> None:
    """Fill two rows of normals from (4, n) words: two of them for the radius, two for the angle."""
    _radius64(words[0], words[1], first)
    _turn64(words[2], words[3], first, second)


@njit(void(uint64, uint64, uint64, uint64, uint32[:, ::1], float32[:, ::1]), cache=True, nogil=True)
def fill_normals32(key0: Number, key1: Number, first: Number, period: Number, words: Words, out: Singles) -> None:
    """Fill (N, n) normals of N assets, N a multiple of 4, with (4, n) words as room to work."""
    for row in range(0, out.shape[0], 4):
        fill_words(key0, key1, first, uint64(row // 4), period, uint64(NORMAL32), words)
        normal_pair32(words[0], words[1], out[row], out[row + 1])
        normal_pair32(words[2], words[3], out[row + 2], out[row + 3])


@njit(void(uint64, uint64, uint64, uint64, uint32[:, ::1], float64[:, ::1]), cache=True, nogil=True)
def fill_normals64(key0: Number, key1: Number, first: Number, period: Number, words: Words, out: FloatArray) -> None:
    """Fill (N, n) normals of N assets, N a multiple of 2, with (4, n) words as room to work."""
    for row in range(0, out.shape[0], 2):
        fill_words(key0, key1, first, uint64(row // 2), period, uint64(NORMAL64), words)
        normal_pair64(words, out[row], out[row + 1])


def fill_normals(
    key0: Number, key1: Number, first: Number, period: Number, words: Words, out: npt.NDArray[Any]
) -> None:
    """Fill (N, n) normals of N assets in the precision of `out`, also from compiled code."""
    fill = fill_normals32 if out.dtype == np.float32 else fill_normals64
    fill(key0, key1, first, period, words, out)


@overload(fill_normals)
def _compiled(key0: Any, key1: Any, first: Any, period: Any, words: Any, out: Any) -> Callable[..., None]:
    fill = fill_normals32 if out.dtype == float32 else fill_normals64

    def run(key0: Any, key1: Any, first: Any, period: Any, words: Any, out: Any) -> None:
        fill(key0, key1, first, period, words, out)

    return run
