"""One chunk of a sweep: some combinations, the work on them, and the totals that come back. Made to be sent away."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from nt_ray.backtest.sweep import totals
from nt_ray.backtest.sweep.kernels import Kind, kernel_of
from nt_ray.backtest.sweep.tape import SweepTape
from nt_ray.strategies.base import Strategy
from nt_ray.types import FloatArray, IntArray

NO_FILLS: Final = np.empty((0, 6), dtype=np.int64)
"""Room for executions, of which a sweep keeps none."""


@dataclass(frozen=True, slots=True, eq=False)
class ChunkWork:
    """Combinations of a sweep, from number `first` on."""

    first: int
    rows: FloatArray
    """(K, parameters)."""
    refused: dict[int, str]
    """Which of them are not run, by their place here, and why."""


@dataclass(frozen=True, slots=True, eq=False)
class ChunkTotals:
    """Totals of a chunk's runs."""

    whole: IntArray
    """(K, G, WHOLE)."""
    real: FloatArray
    """(K, G, REAL)."""
    broken: dict[int, str]
    """Combinations whose step raised, and what."""


def run_chunk(
    strategy: Strategy,
    tape: SweepTape,
    work: ChunkWork,
    kind: Kind = Kind.INLINED,
    fills: IntArray = NO_FILLS,
) -> ChunkTotals:
    """Run a chunk in this thread; other threads go on meanwhile. `fills` takes the executions of a single run."""
    kernel = kernel_of(strategy, kind, shared=tape.sums.shape[1] > 0)
    whole = np.zeros((len(work.rows), len(tape.closes), totals.WHOLE), dtype=np.int64)
    real = np.zeros((*whole.shape[:2], totals.REAL))
    sizes = np.array([strategy.state_size(row) for row in work.rows], dtype=np.int64)
    broken: dict[int, str] = {}
    wanted = np.array([k for k in range(len(work.rows)) if k not in work.refused], dtype=np.int64)
    if len(wanted):
        _run(kernel, strategy, (*tape.inputs(), fills), work.rows[wanted], sizes[wanted], wanted, whole, real, broken)
    whole[list(work.refused), :, totals.STATUS] = totals.BROKEN
    return ChunkTotals(whole, real, broken)


def run_recorded(strategy: Strategy, tape: SweepTape, work: ChunkWork) -> tuple[ChunkTotals, IntArray]:
    """Run one combination on the one group of a tape; return its executions too, as `BacktestResult` has them."""
    bars, width = tape.closes.shape[1:]
    # No more than one order for each symbol on each bar; memory that is not written to costs nothing.
    fills = np.empty((bars * width, 6), dtype=np.int64)
    found = run_chunk(strategy, tape, work, fills=fills)
    return found, fills[: found.whole[0, 0, totals.TRADES]].copy()


def _run(
    kernel: Callable[..., None],
    strategy: Strategy,
    inputs: tuple[object, ...],
    rows: FloatArray,
    sizes: IntArray,
    places: IntArray,
    whole: IntArray,
    real: FloatArray,
    broken: dict[int, str],
) -> None:
    """Run all rows at once; where a step raises, halve until the one that does so stands alone."""
    part_whole, part_real = np.zeros_like(whole[places]), np.zeros_like(real[places])
    try:
        kernel(strategy.step, (rows, sizes, *inputs, part_whole, part_real))
    except Exception as error:  # noqa: BLE001 a strategy's own step may raise anything
        if len(rows) > 1:
            for half in (slice(0, len(rows) // 2), slice(len(rows) // 2, None)):
                _run(kernel, strategy, inputs, rows[half], sizes[half], places[half], whole, real, broken)
            return
        broken[int(places[0])] = f"The step raised {type(error).__name__}: {error}. Mend it or leave these values out."
        whole[places, :, totals.STATUS] = totals.BROKEN
        return
    whole[places], real[places] = part_whole, part_real
