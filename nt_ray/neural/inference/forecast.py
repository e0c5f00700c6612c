"""What a forecast is."""

from dataclasses import dataclass

from nt_ray.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Forecasts of S series for H rows ahead, in the units of the series.

    mean (S, H); quantiles (S, H, Q) at levels (Q,), none where none were asked for.
    """

    mean: FloatArray
    levels: FloatArray
    quantiles: FloatArray
