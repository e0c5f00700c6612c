"""Draw a run of scenarios: normals, correlated, mixed into Student's t, or carried to the margins of a sample.

    x(s) = sum over periods of   mean + R z                       normal (degrees = 0)
                                 mean + R z sqrt((nu - 2) / chi2)  Student's t: covariance R R'
                                 F^-1(T_nu(R z / sqrt(chi2 / nu))) t copula with the margins of a sample

Scenarios lie in tiles of `TILE`, asset by asset within a tile, so that whatever reads them reads on. Every step works
on one scenario at a time; who draws which tile changes nothing.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int64, njit, types, uint32, uint64, void

from nt_ray.errors import RiskError
from nt_ray.risk.monte_carlo.margins import distribution_table, to_margin
from nt_ray.risk.monte_carlo.mixing import fill_chi_squares
from nt_ray.risk.monte_carlo.normals import ROWS, fill_normals
from nt_ray.risk.monte_carlo.product import TILE, multiply
from nt_ray.risk.monte_carlo.words import MOST_SCENARIOS, Number, Words, seed_key
from nt_ray.types import FloatArray

Array = npt.NDArray[Any]

CACHE_LINE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A distribution of M returns that come of K normals each, as the kernels read it."""

    mean: FloatArray
    """(M,)"""
    root: FloatArray
    """(M, K)"""
    degrees: float = 0.0
    """Of freedom; 0 for normal returns."""
    ordered: FloatArray | None = None
    """(M, T) returns in ascending order, the margins of a t copula."""
    periods: int = 1
    """Draws to be summed."""
    triangular: bool = True
    """Whether the root is a lower triangle."""


def _signature(kind: Any) -> Any:
    room = types.Tuple((uint32[:, ::1], kind[:, ::1], kind[:, ::1], float64[:, ::1]))  # type: ignore[no-untyped-call]
    law = types.Tuple((kind[:, ::1], kind[::1], kind[::1], kind[:, ::1], float64[:, ::1]))  # type: ignore[no-untyped-call]
    return void(uint64, uint64, int64, float64, int64, law, room, kind[:, :, ::1], int64, int64)


def _signature_of_period(kind: Any) -> Any:
    return void(float64, kind[::1], kind[:, ::1], float64[:, ::1], float64[::1], kind[:, ::1])


@njit([_signature_of_period(float32), _signature_of_period(float64)], cache=True, nogil=True)
def _mix(degrees: float, mean: Array, ordered: Array, table: FloatArray, chi_squares: FloatArray, drawn: Array) -> None:
    """Turn correlated normals (M, TILE) into returns of a t law, or of a t copula where there are margins."""
    count = drawn.shape[1]
    if ordered.shape[1] > 0:
        for i in range(drawn.shape[0]):
            to_margin(drawn[i], chi_squares, count, ordered[i], table)
        return
    for s in range(count):
        chi_squares[s] = math.sqrt((degrees - 2.0) / chi_squares[s])
    for i in range(drawn.shape[0]):
        row, middle = drawn[i], mean[i]
        for s in range(count):
            row[s] = middle + row[s] * chi_squares[s]


@njit([_signature(float32), _signature(float64)], cache=True, nogil=True)
def _draw(
    key0: Number, key1: Number, periods: int, degrees: float, triangular: int,
    law: tuple[Array, Array, Array, Array, FloatArray], room: tuple[Words, Array, Array, FloatArray],
    tiles: Array, first: int, total: int,
) -> None:  # fmt: skip
    """Fill `total` of the tiles (n, M, TILE) from the first on."""
    root, begin, mean, ordered, table = law
    words, normals, later, mixing = room
    for t in range(first, first + total):
        scenario, sums = uint64(t * TILE), tiles[t]
        for period in range(periods):
            drawn = sums if period == 0 else later
            fill_normals(key0, key1, scenario, uint64(period), words, normals)
            multiply(root, begin, normals, TILE, drawn, triangular)
            if degrees > 0.0:
                fill_chi_squares(key0, key1, scenario, uint64(period), degrees, TILE, words, mixing)
                _mix(degrees, mean, ordered, table, mixing[0], drawn)
            if period > 0:
                sums += later


class Drawer:
    """Draws tiles of scenarios of a law under a seed, in one precision."""

    def __init__(self, law: Law, seed: int, kind: npt.DTypeLike) -> None:
        self.kind = np.dtype(kind)
        self._key = seed_key(seed)
        self._law = law
        rows = len(law.mean)
        mean = law.mean.astype(kind)
        ordered = np.empty((rows, 0)) if law.ordered is None else law.ordered
        table = np.empty((2, 0)) if law.ordered is None else distribution_table(law.degrees)
        begin = mean if law.degrees == 0.0 else np.zeros(rows, dtype=kind)
        root = np.ascontiguousarray(law.root, dtype=kind)
        self._arrays = (root, begin, mean, np.ascontiguousarray(ordered, dtype=kind), table)

    def tiles(self, count: int) -> Array:
        """Return room (n, M, TILE) for this many scenarios."""
        if count > MOST_SCENARIOS:
            raise RiskError(f"{count} scenarios have more numbers than there are. Draw at most {MOST_SCENARIOS}.")
        rows, tiles = len(self._law.mean), -(-count // TILE)
        return aligned(tiles * rows, TILE, self.kind).reshape(tiles, rows, TILE)

    def draw(self, tiles: Array, first: int, total: int) -> None:
        """Fill `total` tiles (n, M, TILE) from the first on; tile t holds scenarios from t TILE on.

        Safe in several threads at once, where they fill different tiles.
        """
        law = self._law
        room = (
            aligned(4, TILE, np.uint32),
            aligned(-(-law.root.shape[1] // ROWS) * ROWS, TILE, self.kind),
            aligned(len(law.mean), TILE, self.kind),
            aligned(2, TILE, np.float64),
        )
        key0, key1 = self._key
        triangular = int(law.triangular)
        _draw(key0, key1, law.periods, law.degrees, triangular, self._arrays, room, tiles, first, total)


def aligned(rows: int, columns: int, kind: npt.DTypeLike) -> Array:
    """Return zeros (rows, columns) that begin with a cache line: vectors across two lines cost twice as much."""
    size = np.dtype(kind).itemsize
    held = np.zeros(rows * columns + CACHE_LINE // size, dtype=kind)
    offset = -held.ctypes.data % CACHE_LINE // size
    return held[offset : offset + rows * columns].reshape(rows, columns)
