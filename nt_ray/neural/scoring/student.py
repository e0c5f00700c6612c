"""Density and distribution of Student's t, for scores and tests: what torch does not have.

The distribution is the regularised incomplete beta function by its continued fraction; Press et al. (2007), Numerical
Recipes, section 6.4, summed by the modified method of Lentz.
"""

from math import pi

import numpy as np
import torch

from nt_ray.neural.problems import NeuralError
from nt_ray.types import FloatArray

_TERMS = 400
_TINY = 1e-300
_CLOSE = 1e-15


def student_cdf(z: FloatArray, freedom: FloatArray) -> FloatArray:
    """P(t <= z) with `freedom` degrees above zero; arrays of one shape, NaN where z is."""
    z, v = np.asarray(z, dtype=np.float64), np.asarray(freedom, dtype=np.float64)
    upper = 0.5 * _beta_share(v / (v + z**2), v / 2.0, np.full_like(v, 0.5))
    result: FloatArray = np.where(z > 0.0, 1.0 - upper, upper)
    return result


def student_density(z: FloatArray, freedom: FloatArray) -> FloatArray:
    """Density of t at z with `freedom` degrees above zero; arrays of one shape."""
    v = freedom
    constant = lgamma((v + 1.0) / 2.0) - lgamma(v / 2.0) - 0.5 * np.log(v * pi)
    result: FloatArray = np.exp(constant - (v + 1.0) / 2.0 * np.log1p(z**2 / v))
    return result


def student_quantile(level: float, freedom: float) -> float:
    """Quantile of t at a level in (0, 1), by bisection to the last digits."""
    if not 0.0 < level < 1.0:
        raise NeuralError(f"level={level} is no level of a quantile. Use one between 0 and 1.")
    if level < 0.5:
        return -student_quantile(1.0 - level, freedom)
    low, high = 0.0, 1.0
    while _cdf(high, freedom) < level:
        low, high = high, 2.0 * high
    for _ in range(200):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        low, high = (middle, high) if _cdf(middle, freedom) < level else (low, middle)
    return (low + high) / 2.0


def lgamma(values: FloatArray) -> FloatArray:
    """Logarithm of the gamma function of positive values."""
    result: FloatArray = torch.lgamma(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))).numpy()
    return result


def _cdf(z: float, freedom: float) -> float:
    return float(student_cdf(np.array([z]), np.array([freedom]))[0])


def _beta_share(x: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Regularised incomplete beta function I_x(a, b), x in [0, 1]."""
    swap = x > (a + 1.0) / (a + b + 2.0)
    # The fraction converges fast on the left only; I_x(a, b) = 1 - I_(1-x)(b, a).
    p, q, y = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, 1.0 - x, x)
    inner = np.clip(y, _TINY, 1.0)
    front = lgamma(p + q) - lgamma(p) - lgamma(q) + p * np.log(inner) + q * np.log1p(-np.minimum(inner, 1.0 - 1e-16))
    value = np.where(y > 0.0, np.exp(front) * _fraction(y, p, q) / p, 0.0)
    result: FloatArray = np.where(swap, 1.0 - value, value)
    return result


def _fraction(x: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    c = np.ones_like(x)
    d = 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    h = d.copy()
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d, c = 1.0 / _nonzero(1.0 + even * d), _nonzero(1.0 + even / c)
        h = h * d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d, c = 1.0 / _nonzero(1.0 + odd * d), _nonzero(1.0 + odd / c)
        h = h * d * c
        if bool(np.all(np.isnan(x) | (np.abs(d * c - 1.0) < _CLOSE))):
            break
    return h


def _nonzero(values: FloatArray) -> FloatArray:
    result: FloatArray = np.where(np.abs(values) < _TINY, _TINY, values)
    return result
