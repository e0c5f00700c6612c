"""Scores of point forecasts, on whatever was observed.

Truth is NaN where nothing was observed; there a forecast is not judged, whatever it says. A forecast that is not a
number where the truth is one is an error: a model must not gain by keeping silent. Scores are means over all that was
observed (windows, steps and series alike), as in the published tables; None where nothing was. It does not know who
forecast.

Sources: Hyndman and Koehler (2006), Another look at measures of forecast accuracy, IJF 22 (MAE, RMSE, MASE);
Makridakis, Spiliotis and Assimakopoulos (2020), The M4 competition, IJF 36 (sMAPE).
"""

import numpy as np

from nt_ray.neural.problems import NeuralError
from nt_ray.types import FloatArray


class ScoreError(NeuralError):
    """Forecasts that cannot be judged."""

    code = "neural_score"


def mae(truth: FloatArray, forecast: FloatArray) -> float | None:
    """Mean absolute error, mean |y - f|; arrays of one shape."""
    y, f = observed(truth, forecast)
    return _mean(np.abs(y - f))


def mse(truth: FloatArray, forecast: FloatArray) -> float | None:
    """Mean squared error, mean (y - f)^2; arrays of one shape."""
    y, f = observed(truth, forecast)
    return _mean((y - f) ** 2)


def rmse(truth: FloatArray, forecast: FloatArray) -> float | None:
    """Root of the mean squared error; arrays of one shape."""
    squared = mse(truth, forecast)
    return None if squared is None else float(np.sqrt(squared))


def smape(truth: FloatArray, forecast: FloatArray) -> float | None:
    """Symmetric relative error, mean 2 |y - f| / (|y| + |f|), from 0 to 2; 0 where both are zero."""
    y, f = observed(truth, forecast)
    size = np.abs(y) + np.abs(f)
    return _mean(2.0 * np.abs(y - f) / np.where(size > 0.0, size, 1.0))


def seasonal_scale(history: FloatArray, season: int = 1) -> FloatArray:
    """In-sample error of the seasonal naive forecast, the denominator of MASE.

    Parameters
    ----------
    history
        (S, T) training rows, NaN where missing; a pair counts where both of its values were observed.
    season
        m, in rows.

    Returns
    -------
    (S,) mean |y_t - y_(t-m)|; NaN for a series without a pair or without any change.
    """
    if season < 1:
        raise ScoreError(f"season={season} is no season. Use 1 (the last value) or more rows.")
    changes = np.abs(history[:, season:] - history[:, :-season])
    known = np.isfinite(changes)
    count = known.sum(axis=1)
    total = np.where(known, changes, 0.0).sum(axis=1)
    scale: FloatArray = np.where(total > 0.0, total / np.maximum(count, 1), np.nan)
    return scale


def mase(truth: FloatArray, forecast: FloatArray, scale: FloatArray) -> float | None:
    """Mean absolute scaled error: each series' MAE over its own scale, then the mean over series.

    Parameters
    ----------
    truth, forecast
        (S, ...).
    scale
        (S,) `seasonal_scale` of the training rows; a series whose scale is NaN is left out.
    """
    if scale.shape != truth.shape[:1]:
        raise ScoreError(f"Scales of shape {scale.shape} do not fit {truth.shape[0]} series. Give one a series.")
    errors = [mae(y, f) for y, f in zip(truth, forecast, strict=True)]
    known = [e / s for e, s in zip(errors, scale.tolist(), strict=True) if e is not None and np.isfinite(s)]
    return _mean(np.array(known))


def directional_accuracy(truth: FloatArray, forecast: FloatArray, reference: FloatArray | float) -> float | None:
    """Share of moves whose sign was forecast.

    Moves are measured from `reference`, which broadcasts to the truth: the last value for prices, 0 for returns. A
    truth that did not move is left out; a forecast of no move counts one half, as a coin would.
    """
    y, f, r = observed(truth, forecast, np.broadcast_to(np.asarray(reference, dtype=np.float64), truth.shape))
    moved = y != r
    said, came = np.sign(f - r)[moved], np.sign(y - r)[moved]
    return _mean(np.where(said == 0.0, 0.5, (said == came).astype(np.float64)))


def observed(truth: FloatArray, *given: FloatArray) -> tuple[FloatArray, ...]:
    """Truth and what stands beside it, flat, where the truth was observed; raises where the rest is not finite."""
    if np.isinf(truth).any():
        raise ScoreError("The truth is infinite somewhere. Give numbers, and NaN where nothing was observed.")
    known = ~np.isnan(truth)
    result = [truth[known]]
    for values in given:
        if values.shape != truth.shape:
            raise ScoreError(f"A forecast of shape {values.shape} does not fit a truth of shape {truth.shape}.")
        chosen = values[known]
        wrong = int(np.count_nonzero(~np.isfinite(chosen)))
        if wrong:
            raise ScoreError(
                f"{wrong} of {len(chosen)} forecasts of observed values are not finite. "
                "Leave those origins out, or mend the forecaster."
            )
        result.append(chosen)
    return tuple(result)


def _mean(values: FloatArray) -> float | None:
    return float(np.mean(values)) if values.size else None
