"""How many windows one forward pass takes: as many as still make it cheaper by the window, found by measurement."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

from nt_ray.neural.problems import NeuralError

GAIN = 0.1
"""Least share by which twice the windows have to lower the cost of each."""


def sizes_up_to(largest: int) -> tuple[int, ...]:
    """Powers of two from 1 up to `largest`, and that one itself."""
    if largest < 1:
        raise NeuralError(f"A batch of {largest} windows is none. Allow at least 1.")
    powers = [1 << i for i in range(largest.bit_length())]
    return tuple(dict.fromkeys([*powers, largest]))


def knee(seconds: Mapping[int, float], *, gain: float = GAIN, slowest: float = float("inf")) -> int:
    """Batch size at the knee of measured times by batch size.

    From the smallest size on, a larger one is taken where it lowers the cost of a window by `gain` for each doubling
    since the one taken before; none that takes longer than `slowest` seconds, but for the smallest.
    """
    if not seconds or min(seconds) < 1 or min(seconds.values()) <= 0:
        raise NeuralError(f"The times {dict(seconds)} have no knee. Measure batches of at least one window.")
    sizes = sorted(seconds)
    allowed = [size for size in sizes if size == sizes[0] or seconds[size] <= slowest]
    best = allowed[0]
    for size in allowed[1:]:
        if seconds[size] / size <= (seconds[best] / best) * (1.0 - gain) ** math.log2(size / best):
            best = size
    return best


def measure(
    run: Callable[[int], object],
    largest: int,
    clock: Callable[[], float],
    *,
    repeats: int = 3,
    gain: float = GAIN,
    slowest: float = float("inf"),
) -> dict[int, float]:
    """Time `run(size)` for growing sizes, each the best of some; stops where growing no longer pays."""
    found: dict[int, float] = {}
    for size in sizes_up_to(largest):
        run(size)
        found[size] = min(_time(run, size, clock) for _ in range(repeats))
        costs = [found[s] / s for s in sorted(found)]
        if found[size] > slowest or _flat(costs, gain):
            break
    return found


def _flat(costs: list[float], gain: float) -> bool:
    """Whether the last two doublings brought less than they should."""
    return len(costs) > 2 and all(after > before * (1.0 - gain) for before, after in pairwise(costs[-3:]))


def _time(run: Callable[[int], object], size: int, clock: Callable[[], float]) -> float:
    start = clock()
    run(size)
    return max(clock() - start, 1e-9)
