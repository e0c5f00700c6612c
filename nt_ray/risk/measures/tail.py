"""What every measure of the tail answers, and the one shape of the functions that answer it."""

from dataclasses import dataclass
from typing import Protocol

import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Value at risk and expected shortfall, as fractions lost; negative where even the tail gains."""

    var: float
    es: float
    method: str
    confidence: float
    horizon: int
    """Periods ahead; both figures are for all of them together."""
    observations: int
    """How many observations or simulated outcomes the tail was taken from."""
    notes: tuple[str, ...] = ()
    """What a reader must know to use the figures: assumptions, fallbacks, limits of the sample."""


class Measure(Protocol):
    """A function that measures the tail of a portfolio; its own parameters follow by keyword."""

    def __call__(
        self,
        returns: npt.ArrayLike,
        confidence: float,
        horizon: int = 1,
        /,
        *,
        weights: npt.ArrayLike | None = None,
    ) -> Tail:
        """Measure the tail of `horizon` periods.

        Parameters
        ----------
        returns
            (T,) simple returns of the portfolio, oldest first; or (T, N) of its assets with `weights`.
        confidence
            Between 0.5 and 1, such as 0.99.
        horizon
            Whole number of periods from 1 on.
        weights
            (N,) weights of the assets, restored at every period; the rest is cash without return.
        """
        ...
