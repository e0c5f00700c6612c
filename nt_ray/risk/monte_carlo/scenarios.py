"""Scenarios: one matrix of simulated asset returns, on which any number of portfolios is measured.

A portfolio is a row of weights, its loss on a scenario minus the weighted sum of returns. VaR and ES of a portfolio
have the same bits whether it is measured alone or among others, and by however many threads. Weights stay as they are
over the horizon: returns of periods are summed, not compounded.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_horizon, is_whole
from nt_ray.portfolio.tail_count import check_tail, tail_size
from nt_ray.risk.monte_carlo.draw import Drawer
from nt_ray.risk.monte_carlo.models import Model
from nt_ray.risk.monte_carlo.product import TILE
from nt_ray.risk.monte_carlo.tails import Kept, bounds_of, collected, room_for, tail_of_candidates
from nt_ray.risk.monte_carlo.threads import over_runs, thread_count
from nt_ray.risk.tail_kernel import near, scaled
from nt_ray.types import FloatArray, IntArray

Array = npt.NDArray[Any]

COUNT: Final = 100_000
SAMPLE: Final = 32 * TILE
"""Scenarios whose losses give the bound of the candidates."""

ROOM: Final = 2**27
"""Bytes that candidates may take; more portfolios than fit are measured in groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that scenarios follow from: equal plans give equal bits, on any machine."""

    model: Model
    count: int = COUNT
    seed: int = 0
    horizon: int = 1
    double: bool = False
    """Double precision, with uniforms of 53 bits: for tails beyond 99.99 %."""

    def __post_init__(self) -> None:
        if not is_whole(self.count, 1):
            raise RiskError(f"{self.count} scenarios cannot be drawn. Use a whole number of at least 1.")
        check_horizon(self.horizon)

    def fingerprint(self) -> str:
        """Return a name that two plans share where they draw the same scenarios."""
        law = self.model.law(self.horizon)
        digest = hashlib.sha256(f"{self.count} {self.seed} {self.double} {law.degrees!r} {law.periods}".encode())
        for array in (law.mean, law.root, law.ordered):
            if array is not None:
                digest.update(f" {array.shape} ".encode() + np.ascontiguousarray(array, dtype=np.float64).tobytes())
        return digest.hexdigest()[:16]

    @property
    def kind(self) -> type[np.float32 | np.float64]:
        """Precision of the numbers."""
        return np.float64 if self.double else np.float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Tails:
    """Tails of P portfolios, as fractions lost; negative where even the tail gains."""

    var: FloatArray
    """(P,)"""
    es: FloatArray
    """(P,)"""
    confidence: float
    scenarios: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """What the assets of one portfolio contribute to its value at risk and to its expected shortfall."""

    var: float
    es: float
    components: FloatArray
    """(N,) weight times mean loss of the asset in the tail: Euler's shares, which sum to the expected shortfall."""
    var_components: FloatArray | None
    """(N,) weight times mean loss of the asset around VaR by a kernel (`nt_ray.risk.tail_kernel`), which sum to VaR;
    None where no factor makes them do so, which the notes explain."""
    confidence: float
    scenarios: int
    notes: tuple[str, ...] = ()


class Scenarios:
    """Returns of N assets on a number of scenarios."""

    def __init__(self, plan: Plan, tiles: Array) -> None:
        """Take tiles (n, N, TILE) that were drawn by this plan."""
        shape = (-(-plan.count // TILE), plan.model.assets, TILE)
        if tiles.shape != shape or tiles.dtype != plan.kind:
            raise RiskError(
                f"Tiles {tiles.shape} of {tiles.dtype} are not those of this plan, {shape} of {np.dtype(plan.kind)}. "
                "Give the tiles drawn by the plan."
            )
        self.plan = plan
        self.tiles = tiles

    def matrix(self) -> Array:
        """Return a copy (N, count), one row an asset."""
        rows = self.tiles.transpose(1, 0, 2).reshape(self.plan.model.assets, -1)
        return np.ascontiguousarray(rows[:, : self.plan.count])

    def evaluate(self, weights: npt.ArrayLike, confidence: float, *, threads: int | None = None) -> Tails:
        """Measure portfolios.

        Parameters
        ----------
        weights
            (P, N) or, for one portfolio, (N,).
        confidence
            Between 0.5 and 1; the tail must hold at least one scenario.
        threads
            As many as this process has processors where None. Changes no bit of the result.
        """
        count, kind = self.plan.count, self.plan.kind
        check_tail(count, confidence)
        negative = np.ascontiguousarray(-check_portfolios(weights, self.plan.model.assets), dtype=kind)
        workers = min(thread_count(threads), len(self.tiles))
        room = room_for(-(-len(self.tiles) // workers) * TILE, 1.0 - confidence, SAMPLE)
        group = max(1, ROOM // (room * workers * negative.itemsize))
        parts = [
            self._tails(negative[first : first + group], confidence, workers, room)
            for first in range(0, len(negative), group)
        ]
        var, es = np.concatenate(parts, axis=1)
        return Tails(var=var, es=es, confidence=confidence, scenarios=count)

    def losses(self, weights: npt.ArrayLike, *, threads: int | None = None) -> Array:
        """Return (count,) losses of one portfolio (N,)."""
        rows = check_portfolios(weights, self.plan.model.assets)
        if len(rows) != 1:
            raise RiskError(f"{len(rows)} portfolios have no one series of losses. Give one row of weights.")
        negative = np.ascontiguousarray(-rows, dtype=self.plan.kind)
        return self._all(negative, min(thread_count(threads), len(self.tiles)))

    def contributions(self, weights: npt.ArrayLike, confidence: float, *, threads: int | None = None) -> Components:
        """Divide value at risk and expected shortfall of one portfolio (N,) among its assets."""
        check_tail(self.plan.count, confidence)
        losses = self.losses(weights, threads=threads)
        tail, rank = tail_size(self.plan.count, confidence)
        var, es = tail_of_candidates(losses, tail, rank)
        worst = np.flatnonzero(losses >= var)
        above = losses[worst] > var
        # Scenarios at the level itself share what is left of the tail.
        shares = np.where(above, 1.0, (tail - above.sum()) / (~above).sum()) / tail
        held = np.asarray(weights, dtype=np.float64).reshape(-1)
        around, note = self._around(losses, held, var)
        return Components(
            var=var,
            es=es,
            components=held * self._mean_losses(worst, shares),
            var_components=around,
            confidence=confidence,
            scenarios=self.plan.count,
            notes=(note,),
        )

    def _around(self, losses: Array, held: FloatArray, var: float) -> tuple[FloatArray | None, str]:
        """Components (N,) of VaR, and how they were found or why they were not."""
        try:
            places, shares, width = near(losses.astype(np.float64), var)
            marginal, factor = scaled(self._mean_losses(places, shares), held, var)
        except RiskError as error:
            return None, f"VaR is not taken apart: {error}"
        return held * marginal, f"VaR by a Gaussian kernel of width {width:.3g}, scaled by {factor:.4f} to sum to VaR"

    def _mean_losses(self, places: IntArray, shares: FloatArray) -> FloatArray:
        """Weighted mean losses (N,) of the assets over the scenarios at some places."""
        returns = self.tiles[places // TILE, :, places % TILE].astype(np.float64)
        return np.asarray(-(returns * shares[:, None]).sum(axis=0))

    def _tails(self, negative: Array, confidence: float, workers: int, room: int) -> FloatArray:
        """VaR and ES (2, P) of portfolios whose candidates fit into memory together."""
        tail, rank = tail_size(self.plan.count, confidence)
        bounds = self._bounds(negative, 1.0 - confidence)
        parts = over_runs(lambda first, n: self._collect(negative, first, n, bounds, room), len(self.tiles), workers)

        def one(p: int) -> tuple[float, float]:
            kept = [found[p, : counts[p]] for found, counts in parts]
            if min(counts[p] for _, counts in parts) < 0 or sum(map(len, kept)) < rank:
                return tail_of_candidates(self._all(negative[p : p + 1], 1), tail, rank)
            return tail_of_candidates(np.concatenate(kept), tail, rank)

        runs = over_runs(lambda first, n: [one(p) for p in range(first, first + n)], len(negative), workers)
        return np.array([pair for run in runs for pair in run]).T

    def _bounds(self, negative: Array, share: float) -> Array:
        """Bounds from tiles that lie evenly among the whole ones."""
        whole = self.plan.count // TILE
        if whole <= 2 * SAMPLE // TILE:
            return np.full(len(negative), -np.inf, dtype=negative.dtype)
        sample = np.ascontiguousarray(self.tiles[np.arange(SAMPLE // TILE) * whole // (SAMPLE // TILE)])
        return bounds_of(collected(negative, sample, 0, len(sample), SAMPLE, None, SAMPLE)[0], share)

    def _collect(self, negative: Array, first: int, n: int, bounds: Array | None, room: int) -> Kept:
        return collected(negative, self.tiles, first, n, self.plan.count, bounds, room)

    def _all(self, negative: Array, workers: int) -> Array:
        """Losses (count,) of one portfolio."""

        def run(first: int, n: int) -> Array:
            kept, counts = self._collect(negative, first, n, None, n * TILE)
            return kept[0, : counts[0]]

        return np.concatenate(over_runs(run, len(self.tiles), workers))


def make(plan: Plan, *, threads: int | None = None) -> Scenarios:
    """Draw the scenarios of a plan; the number of threads changes no bit of them."""
    drawer = Drawer(plan.model.law(plan.horizon), plan.seed, plan.kind)
    tiles = drawer.tiles(plan.count)
    over_runs(lambda first, n: drawer.draw(tiles, first, n), len(tiles), min(thread_count(threads), len(tiles)))
    return Scenarios(plan, tiles)


def check_portfolios(weights: npt.ArrayLike, assets: int) -> FloatArray:
    """Return finite weights (P, N) of at least one portfolio."""
    rows = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    if rows.ndim != 2 or rows.shape[1] != assets or len(rows) == 0:
        raise RiskError(f"Weights have shape {np.shape(weights)} for {assets} assets. Give one row a portfolio.")
    if not np.isfinite(rows).all():
        p, i = (int(at[0]) for at in np.nonzero(~np.isfinite(rows)))
        raise RiskError(f"Weight {rows[p, i]} of asset {i} in portfolio {p} is not a number. Give a finite one.")
    return rows
