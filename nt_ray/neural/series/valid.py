"""Which windows can be cut from series with missing values, held as stretches of origins, not as a list of windows.

A window is a series and an origin: the last row that is known. It is valid where enough of its look-back was observed
and anything of its horizon, and where its horizon lies in the rows that are asked for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nt_ray.types import BoolArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ValidWindows:
    """Windows counted from 0 to `count` - 1, series by series, in M stretches of neighbouring origins.

    series, first (M,): the series and the first origin of each stretch; ends (M,): windows up to its end. Where they
    are `partial` some are held elsewhere; their series is negative.
    """

    series: Tensor
    first: Tensor
    ends: Tensor
    count: int
    partial: bool = False

    def locate(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Series and origin of windows, (B,) each."""
        stretch = torch.searchsorted(self.ends, places, right=True)
        return self.series[stretch], self.first[stretch] + places

    def share(self, places: Tensor, rank: int, size: int) -> Tensor:
        """Those of these windows that worker `rank` of `size` works on: those it holds, or every `size`-th of all."""
        if self.partial:
            return places[self.locate(places)[0] >= 0]
        return places[rank::size].contiguous()

    def one(self) -> Tensor | None:
        """Number of a window that is held, (1,); None where none is."""
        held = self.ends[self.series >= 0]
        return held[:1] - 1 if len(held) else None

    def spread(self, most: int) -> Tensor:
        """Numbers of at most `most` windows, evenly spread."""
        device = self.ends.device
        if self.count <= most:
            return torch.arange(self.count, device=device)
        return torch.arange(most, device=device) * self.count // most


def valid_windows(
    seen: BoolArray, lookback: int, horizon: int, origins: tuple[int, int], least: float, device: torch.device
) -> ValidWindows:
    """Find windows whose origin is in [low, high).

    Parameters
    ----------
    seen
        (S, T), where a value was observed.
    least
        Share of the look-back that must have been observed.
    """
    low, high = max(origins[0], lookback - 1), min(origins[1], seen.shape[1] - horizon)
    parts = [_stretches(row, lookback, horizon, low, high, least) for row in seen]
    series = np.repeat(np.arange(len(seen)), [len(first) for first, _ in parts])
    first, length = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return numbered(series, first, length, device=device)


def numbered(
    series: IntArray, first: IntArray, length: IntArray, *, device: torch.device, partial: bool = False
) -> ValidWindows:
    """Count windows from stretches (M,): their series, first origins and lengths."""
    ends = np.cumsum(length)
    # Folded in, so that the origin of window i of a stretch is `first` + i.
    first = first - np.concatenate([[0], ends[:-1]])[: len(first)]
    count = int(ends[-1]) if len(ends) else 0
    held = [torch.from_numpy(values).long().to(device) for values in (series, first, ends)]
    return ValidWindows(held[0], held[1], held[2], count, partial)


def _stretches(
    seen: BoolArray, lookback: int, horizon: int, low: int, high: int, least: float
) -> tuple[IntArray, IntArray]:
    """First origin and length of each run of valid origins of one series."""
    if high <= low:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    known = np.concatenate([[0], np.cumsum(seen)])
    origin = np.arange(low, high)
    past = known[origin + 1] - known[origin + 1 - lookback]
    ahead = known[origin + 1 + horizon] - known[origin + 1]
    valid = (past >= max(1, int(np.ceil(least * lookback)))) & (ahead > 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8)))
    return origin[edges[::2]], edges[1::2] - edges[::2]
