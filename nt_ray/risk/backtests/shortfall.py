"""Acerbi and Szekely's tests of expected shortfall, with p-values by simulation.

All three are 0 on average if the forecasts are right and negative if they promised too little loss. The null needs a
distribution, of which only the tail matters: here each day is normal, or t with given degrees of freedom, shifted and
scaled so that its VaR and ES are exactly the forecast's. Acerbi and Szekely (2014), Backtesting expected shortfall.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, ndtr, ndtri, stdtr, stdtrit

from nt_ray.errors import RiskError
from nt_ray.philox import generator
from nt_ray.portfolio.inputs import check_confidence, check_series
from nt_ray.risk.measures.normal import normal_tail
from nt_ray.risk.measures.student_t import student_tail
from nt_ray.types import FloatArray

_STREAM = 0x5A
_CHUNK = 1_000_000
_GRID = np.linspace(-9.0, 6.0, 3001)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortfallTest:
    """One of the three tests; only low values speak against a model."""

    name: str
    statistic: float | None
    """None where the test needs a violation and there was none."""
    p_value: float
    """Share of simulated histories with a statistic as low, 1 where there is no statistic."""
    critical: float
    """Simulated value below which 5 % of right models fall."""
    observations: int


@dataclass(frozen=True, slots=True)
class _Null:
    """Days location + scale * F, F standard normal or t(nu), whose VaR and ES are the forecasts."""

    var: FloatArray
    es: FloatArray
    alpha: float
    nu: float | None
    location: FloatArray
    scale: FloatArray

    def quantile(self, p: FloatArray) -> FloatArray:
        return np.asarray(ndtri(p) if self.nu is None else stdtrit(self.nu, p))

    def cdf(self, x: FloatArray) -> FloatArray:
        return np.asarray(ndtr(x) if self.nu is None else stdtr(self.nu, x))

    @property
    def lowest(self) -> int:
        """How many days make the tail of the third test."""
        return math.floor(self.var.size * self.alpha + 1e-9)


def shortfall_tests(
    returns: npt.ArrayLike,
    var: npt.ArrayLike,
    es: npt.ArrayLike,
    confidence: float,
    *,
    nu: float | None = None,
    simulations: int = 10_000,
    seed: int = 0,
) -> tuple[ShortfallTest, ShortfallTest, ShortfallTest]:
    """Test expected shortfall by Z1, Z2 and Z3.

    Parameters
    ----------
    returns
        (T,) returns that came, T (1 - confidence) >= 1.
    var, es
        (T,) forecasts made before each, as positive losses, ES above VaR.
    nu
        Degrees of freedom of the null; normal if not given.

    Notes
    -----
    With I = 1 where the return fell below -VaR, N their number and a = 1 - confidence: Z1 = 1 + sum(r I / ES) / N;
    Z2 = 1 + sum(r I / ES) / (T a); Z3 = 1 - mean over days of the ES estimated from the lowest floor(T a) ranks sent
    through the day's distribution, over its expectation. Z2 of 250 days at 97.5 % is below -0.7 for 5 % of right
    models, whatever their tails short of very heavy ones.
    """
    alpha = 1.0 - check_confidence(confidence)
    r = check_series(returns, what="Returns")
    null = _null(r.size, check_series(var, what="VaR"), check_series(es, what="ES"), alpha, nu)
    if simulations < 100:
        raise RiskError(f"{simulations} simulations say nothing of a tail. Use at least 100; 10,000 is the default.")
    hit = r < -null.var
    total, count = float(np.sum(r[hit] / null.es[hit])), int(hit.sum())
    ranks = np.sort(null.cdf((r - null.location) / null.scale))[: null.lowest]
    third = _third(null, np.array([-float(null.quantile(np.maximum(ranks, 1e-300)).mean())]))[0]
    observed = (1.0 + total / count if count else None, 1.0 + total / (r.size * alpha), float(third))
    drawn = simulate_null(null, simulations, seed)
    one, two, three = (
        _verdict(name, value, samples, r.size)
        for name, value, samples in zip(("z1", "z2", "z3"), observed, drawn, strict=True)
    )
    return one, two, three


def simulate_null(null: _Null, simulations: int, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draw the three statistics (simulations,) of right forecasts; Z1 is NaN where no day is a violation."""
    days = null.var.size
    rows = max(1, _CHUNK // days)
    out = np.empty((3, simulations))
    for number, begin in enumerate(range(0, simulations, rows)):
        size = min(rows, simulations - begin)
        uniforms = generator(seed, _STREAM, number << 32).random((size, days))
        row, day = np.nonzero(uniforms < null.alpha)
        drawn = null.location[day] + null.scale[day] * null.quantile(uniforms[row, day])
        total = np.bincount(row, drawn / null.es[day], minlength=size)
        count = np.bincount(row, minlength=size)
        part = slice(begin, begin + size)
        out[0, part] = np.where(count > 0, 1.0 + total / np.maximum(count, 1), np.nan)
        out[1, part] = 1.0 + total / (days * null.alpha)
        lowest = np.partition(uniforms, null.lowest - 1, axis=1)[:, : null.lowest]
        out[2, part] = _third(null, -null.quantile(lowest).mean(axis=1))
    return out[0], out[1], out[2]


def _null(days: int, var: FloatArray, es: FloatArray, alpha: float, nu: float | None) -> _Null:
    if var.size != days or es.size != days:
        raise RiskError(f"{var.size} VaR and {es.size} ES came for {days} returns. Give one forecast of each a return.")
    if days * alpha < 1.0 - 1e-9:
        raise RiskError(
            f"The tail of {days} returns holds less than one of them. Give at least {math.ceil(1 / alpha)}."
        )
    wrong = np.nonzero(~((es > var) & (es > 0.0)))[0]
    if wrong.size:
        at = int(wrong[0])
        raise RiskError(
            f"Forecast {at} has ES {es[at]:.6g} and VaR {var[at]:.6g}, which leave no tail to test. "
            "Use a measure whose ES is positive and above its VaR."
        )
    quantile, shortfall = normal_tail(1.0 - alpha) if nu is None else student_tail(nu, 1.0 - alpha)
    scale = (es - var) / (shortfall - quantile)
    return _Null(var=var, es=es, alpha=alpha, nu=nu, location=scale * quantile - var, scale=scale)


def _third(null: _Null, estimates: FloatArray) -> FloatArray:
    """Z3 (M,) of the standard ES estimated from ranks (M,)."""
    expected = null.scale * _expected_estimate(null) - null.location
    fixed, slope = float(np.mean(-null.location / expected)), float(np.mean(null.scale / expected))
    return 1.0 - (fixed + slope * estimates)


def _expected_estimate(null: _Null) -> float:
    """Mean of the ES estimated from the lowest k of T standard draws: -T/k integral of F^-1(p) P(Bin(T-1, p) < k) dp.

    Integrated over p = Phi(x), which the trapezoid rule does to machine accuracy.
    """
    days, k = null.var.size, null.lowest
    p = ndtr(_GRID)
    density = np.exp(-0.5 * _GRID**2) / math.sqrt(2.0 * math.pi)
    values = null.quantile(p) * bdtr(k - 1, days - 1, p) * density
    return -days / k * float(values.sum()) * float(_GRID[1] - _GRID[0])


def _verdict(name: str, value: float | None, samples: FloatArray, observations: int) -> ShortfallTest:
    samples = samples[~np.isnan(samples)]
    return ShortfallTest(
        name=name,
        statistic=value,
        p_value=1.0 if value is None else (1.0 + float(np.sum(samples <= value))) / (1.0 + samples.size),
        critical=float(np.quantile(samples, 0.05)),
        observations=observations,
    )
