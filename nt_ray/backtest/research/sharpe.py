"""How far a Sharpe ratio can be believed: its sampling error, its selection bias, its autocorrelation.

Sharpe ratios here are per period unless a name says otherwise: mean over standard deviation (ddof 1) of excess
returns; skewness and kurtosis (not excess) in population form. What is undefined is None: fewer than two returns,
or returns without deviation.

Sources: Lo (2002), The statistics of Sharpe ratios, FAJ 58; Bailey and López de Prado (2012), The Sharpe ratio
efficient frontier, Journal of Risk 15; Bailey and López de Prado (2014), The deflated Sharpe ratio, JPM 40.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from nt_ray.backtest.research.problems import ResearchError
from nt_ray.types import FloatArray

EULER_GAMMA = 0.5772156649015329
CONSTANT = 1e-12
"""A deviation of returns below this is rounding of a constant series."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class SharpeSample:
    """What the tests need to know of a series of n returns."""

    n: int
    sharpe: float
    skew: float = 0.0
    kurtosis: float = 3.0

    @property
    def variance(self) -> float:
        """Sampling variance of the Sharpe ratio times n - 1: 1 - skew SR + (kurtosis - 1) / 4 SR^2."""
        return 1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2


def sharpe_sample(returns: FloatArray) -> SharpeSample | None:
    """Take the sample of a series of excess returns (n,); NaN is an error."""
    returns = _finite(returns)
    if len(returns) < 2:
        return None
    deviation = float(np.std(returns, ddof=1))
    if deviation <= CONSTANT:
        return None
    scores = (returns - np.mean(returns)) / np.std(returns)
    # Products, since a general power is far slower.
    squares = scores * scores
    return SharpeSample(
        n=len(returns),
        sharpe=float(np.mean(returns)) / deviation,
        skew=float(np.mean(squares * scores)),
        kurtosis=float(np.mean(squares * squares)),
    )


def probabilistic_sharpe(sample: SharpeSample, threshold: float = 0.0) -> float | None:
    """Probability that the true Sharpe ratio exceeds `threshold` (per period).

    Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)); Bailey and López de Prado (2012).
    """
    if sample.n < 2 or sample.variance <= 0.0:
        return None
    return _NORMAL.cdf((sample.sharpe - threshold) * math.sqrt((sample.n - 1) / sample.variance))


def expected_best_sharpe(trials: float, variance: float) -> float:
    """Sharpe ratio that the best of `trials` independent worthless strategies is expected to show.

    sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g Euler's constant, V the variance of the trials' Sharpe
    ratios; Bailey and López de Prado (2014). One trial has no selection: 0.
    """
    if not trials >= 1.0 or not variance >= 0.0:
        raise ResearchError(
            f"trials={trials} and variance={variance} make no sense. Use at least 1 trial and a variance of 0 or more."
        )
    if trials == 1.0:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return float(math.sqrt(variance) * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second))


def deflated_sharpe(sample: SharpeSample, trials: float, variance: float) -> float | None:
    """Probability that the true Sharpe ratio exceeds what the best of `trials` worthless ones would show.

    `variance` is that of the trials' Sharpe ratios, per period. Bailey and López de Prado (2014).
    """
    return probabilistic_sharpe(sample, expected_best_sharpe(trials, variance))


def effective_trials(returns: FloatArray) -> float:
    """Number of independent trials that K correlated ones amount to, between 1 and K.

    rho + (1 - rho) K with the mean pairwise correlation rho of trial returns (T, K), zero where negative; trials
    without deviation count as none. Bailey and López de Prado (2014), appendix.
    """
    alive = returns[:, np.std(returns, axis=0) > CONSTANT]
    count = alive.shape[1]
    if count < 2:
        return 1.0
    standard = (alive - alive.mean(axis=0)) / alive.std(axis=0)
    # The mean of all pairwise correlations follows from the variance of the summed scores.
    total = float(np.mean(standard.sum(axis=1) ** 2))
    rho = min(max((total - count) / (count * (count - 1)), 0.0), 1.0)
    return float(rho + (1.0 - rho) * count)


def minimum_track_record(sample: SharpeSample, threshold: float = 0.0, confidence: float = 0.95) -> float | None:
    """Returns needed to tell the Sharpe ratio from `threshold` (per period); None where it is not above it.

    1 + (1 - skew SR + (kurtosis - 1) / 4 SR^2) (Z / (SR - SR*))^2; Bailey and López de Prado (2012).
    """
    if not 0.5 < confidence < 1.0:
        raise ResearchError(f"confidence={confidence} is not between 0.5 and 1. Use a value such as 0.95.")
    if sample.sharpe - threshold <= CONSTANT:
        return None
    return 1.0 + sample.variance * (_NORMAL.inv_cdf(confidence) / (sample.sharpe - threshold)) ** 2


def annualisation(correlations: FloatArray, q: int) -> float | None:
    """Factor that turns a Sharpe ratio per period into one over q periods.

    q / sqrt(q + 2 sum over k < q of (q - k) rho_k); Lo (2002), equation 20. `correlations` are rho_1, rho_2, ...;
    those not given count as zero. None where the implied variance is not positive.
    """
    lags = np.arange(1, min(len(correlations), q - 1) + 1)
    variance = q + 2.0 * float(np.sum((q - lags) * correlations[: len(lags)]))
    return q / math.sqrt(variance) if variance > 0.0 else None


def adjusted_sharpe(returns: FloatArray, periods_per_year: float, lags: int | None = None) -> float | None:
    """Annualised Sharpe ratio corrected for autocorrelation.

    Parameters
    ----------
    returns
        (n,) excess returns; NaN is an error.
    periods_per_year
        q, rounded to whole periods.
    lags
        Autocorrelations to use; None takes floor(4 (n / 100)^(2/9)), the rule of Newey and West (1994), since
        q - 1 of them cannot be estimated from a few years.
    """
    sample = sharpe_sample(returns)
    if sample is None:
        return None
    if lags is None:
        lags = math.floor(4.0 * (sample.n / 100.0) ** (2.0 / 9.0))
    factor = annualisation(autocorrelations(returns, min(lags, sample.n - 1)), max(round(periods_per_year), 1))
    return None if factor is None else factor * sample.sharpe


def autocorrelations(returns: FloatArray, lags: int) -> FloatArray:
    """Sample autocorrelations rho_1 .. rho_lags, shape (lags,), all over the full-sample variance."""
    centred = _finite(returns) - np.mean(returns)
    variance = float(centred @ centred)
    return np.array([float(centred[k:] @ centred[:-k]) / variance for k in range(1, lags + 1)])


def _finite(returns: FloatArray) -> FloatArray:
    returns = np.asarray(returns, dtype=np.float64)
    if returns.ndim != 1 or not np.isfinite(returns).all():
        raise ResearchError(f"Returns of shape {returns.shape} hold values that are not finite. Give one clean series.")
    return returns
