"""Checks of what risk and portfolio numbers are computed from: returns, weights, confidence, horizon.

Nothing is repaired here: what cannot be used is named, with its place and value.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.types import FloatArray


def is_whole(number: float, least: int) -> bool:
    """Tell whether a number is whole, finite and at least `least`; NaN is not."""
    return least <= number < math.inf and number == int(number)


def check_confidence(confidence: float) -> float:
    """Return a confidence that lies in (0.5, 1)."""
    if not 0.5 < confidence < 1.0:
        raise RiskError(f"Confidence {confidence} does not lie between 0.5 and 1. Use a value such as 0.95.")
    return float(confidence)


def check_horizon(horizon: int) -> int:
    """Return a horizon of at least one period."""
    if not is_whole(horizon, 1):
        raise RiskError(f"Horizon {horizon} is not a whole number of periods from 1 on. Use 1 for the next period.")
    return int(horizon)


def check_series(returns: npt.ArrayLike, *, least: int = 1, what: str = "Returns") -> FloatArray:
    """Return one series (T,) of finite simple returns."""
    values = np.ascontiguousarray(returns, dtype=np.float64)
    if values.ndim != 1 or values.size < least:
        raise RiskError(f"{what} have shape {values.shape}. Give one series of at least {least} values.")
    _finite(values, what, None)
    return values


def check_returns(
    returns: npt.ArrayLike, *, least: int = 2, names: Sequence[str] | None = None, what: str = "Returns"
) -> FloatArray:
    """Return a panel (T, N) of finite simple returns with at least `least` rows."""
    values = np.ascontiguousarray(returns, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise RiskError(f"{what} have shape {values.shape}. Give one row a period and one column an asset.")
    if values.shape[0] < least:
        raise RiskError(f"{what} have {values.shape[0]} rows. Give at least {least}.")
    _finite(values, what, names)
    return values


def check_weights(weights: npt.ArrayLike, assets: int, *, total: float | None = None) -> FloatArray:
    """Return weights (N,); with `total` they must sum to it within 1e-9."""
    values = np.ascontiguousarray(weights, dtype=np.float64)
    if values.shape != (assets,):
        raise RiskError(f"Weights have shape {values.shape} for {assets} assets. Give one weight an asset.")
    _finite(values, "Weights", None)
    if total is not None and abs(float(values.sum()) - total) > 1e-9 * max(1.0, abs(total)):
        raise RiskError(f"Weights sum to {values.sum():.12g}, not to {total:g}. Scale them first.")
    return values


def check_names(names: Sequence[str], known: Sequence[str]) -> tuple[int, ...]:
    """Return the columns of `names` among the `known`, which are distinct."""
    places = {name: place for place, name in enumerate(known)}
    if len(places) != len(known):
        twice = next(name for place, name in enumerate(known) if places[name] != place)
        raise RiskError(f"The name {twice!r} stands for two columns. Give distinct names.")
    unknown = [name for name in names if name not in places]
    if unknown:
        raise RiskError(f"Unknown name {unknown[0]!r}. Known: {', '.join(list(known)[:20])}.")
    return tuple(places[name] for name in names)


def _finite(values: FloatArray, what: str, names: Sequence[str] | None) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    place = tuple(int(at[0]) for at in np.nonzero(~finite))
    column = f" of {names[place[1]]}" if names is not None and len(place) > 1 else ""
    where = place[0] if column or len(place) == 1 else place
    raise RiskError(f"{what} at {where}{column}: {values[place]} is not a number. Fill or drop it first.")
