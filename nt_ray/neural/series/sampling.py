"""Which windows a training step sees: a pure function of (seed, step), so that the state of sampling is one integer.

Sample g of a run (step k of B windows holds k·B to k·B + B - 1) is place g mod N of epoch g div N, and every epoch is
a permutation of all N windows of its own: each is seen once before any is seen again, whatever B is. The permutation
is a swap-or-not shuffle (Hoang, Morris, Rogaway, CRYPTO 2012): exact for every N, computed for each place alone, with
integers that give the same on every device. Worker r of W takes rows r, r + W, … of the batch, so the batch is the
same for any number of workers. What a window holds is not known here.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nt_ray.types import IntArray, WordArray

ROUNDS: Final = 24
"""Two neighbours stay neighbours with a chance of 2^-24."""

AHEAD: Final = 1 << 16
"""Samples that are computed at once: many steps' worth, so that the cost of starting each operation is shared."""
FEW: Final = 8
"""Epochs in one reckoning up to which each is shuffled by itself, with keys that are the same for all its places."""

_MIX: Final = (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)
_GOLDEN: Final = 0x9E3779B97F4A7C15
_WORD: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class _Width:
    """Width of the integers of a shuffle: type, bits, bits of the middle shift and odd factors of its hash."""

    kind: torch.dtype
    bits: int
    shift: int
    factors: tuple[int, int]


_NARROW: Final = _Width(torch.int32, 32, 15, (-2048144789, -1028477387))
_WIDE: Final = _Width(torch.int64, 64, 32, (_MIX[0] - (1 << 64), _MIX[1] - (1 << 64)))
"""Factors of MurmurHash3's finalisers as signed numbers. Half the width is three times as fast, where it is enough."""


def mix(*words: int) -> int:
    """Hash whole numbers to 64 bits (the finaliser of MurmurHash3 over a Weyl sequence)."""
    state = 0
    for word in words:
        state = (state ^ (word & _WORD)) + _GOLDEN & _WORD
        for factor in _MIX:
            state = ((state ^ state >> 33) * factor) & _WORD
        state ^= state >> 33
    return state


@dataclass(frozen=True, slots=True)
class Order:
    """Order in which `count` windows are seen under a seed."""

    count: int
    seed: int

    def places(self, first: int, number: int, device: torch.device) -> Tensor:
        """Windows of samples `first` to `first + number - 1`: int64 in [0, count), (number,)."""
        epoch, start = divmod(first, self.count)
        epochs = (start + number - 1) // self.count + 1
        width = _NARROW if self.count < 1 << 31 else _WIDE
        rounds = torch.from_numpy(self._rounds(epoch, epochs)).to(width.kind).to(device)
        place = torch.arange(start, start + number, device=device)
        which = place.div(self.count, rounding_mode="floor")
        place = (place - which * self.count).to(width.kind)
        if epochs > FEW:
            return _shuffle(place, self.count, rounds[:, :, which], width).long()
        ends = [min(self.count * (e + 1) - start, number) for e in range(epochs)]
        parts = place.tensor_split(ends[:-1])
        return torch.cat([_shuffle(p, self.count, rounds[:, :, e], width) for e, p in enumerate(parts)]).long()

    def _rounds(self, epoch: int, epochs: int) -> IntArray:
        """Pivot and key of each round and epoch, (ROUNDS, 2, epochs); a key that is too wide is cut."""
        seeds = np.array([mix(self.seed, r) for r in range(ROUNDS)], dtype=np.uint64)
        # Arrays of unsigned words wrap as `mix` does.
        words: WordArray = seeds[:, None] ^ np.arange(epoch, epoch + epochs, dtype=np.uint64) * np.uint64(_GOLDEN)
        for factor in _MIX:
            words = (words ^ words >> np.uint64(33)) * np.uint64(factor)
        return np.stack([words % np.uint64(self.count), words >> np.uint64(33)], axis=1).astype(np.int64)


def _shuffle(place: Tensor, count: int, rounds: Tensor, width: _Width) -> Tensor:
    """Places after all rounds; each pairs x with pivot - x (mod count) and swaps the pair where its hash says so."""
    partner, word, spare = (torch.empty_like(place) for _ in range(3))
    for pivot, key in rounds.unbind(0):
        torch.sub(pivot, place, out=partner)
        torch.bitwise_right_shift(partner, width.bits - 1, out=spare)
        partner += spare.bitwise_and_(count)
        # Both of a pair must draw the same bit, so it belongs to the larger of them.
        torch.maximum(place, partner, out=word)
        word ^= key
        word *= width.factors[0]
        torch.bitwise_right_shift(word, width.shift, out=spare)
        word ^= spare
        word *= width.factors[1]
        word >>= width.bits - 1
        partner -= place
        place += partner.bitwise_and_(word)
    return place


class Sampler:
    """Batches of one worker, step by step; asked for steps in order it computes many at once."""

    def __init__(self, order: Order, batch: int, device: torch.device, rank: int = 0, workers: int = 1) -> None:
        self._order = order
        self._batch = batch
        self._device = device
        self._rows = slice(rank, None, workers)
        self.stretch = max(1, AHEAD // batch)
        """Steps that are computed at once; they begin at multiples of it."""
        self._first = -1
        self._places = torch.empty(0)

    def places(self, step: int) -> Tensor:
        """Windows of this worker at a step: int64, (rows,)."""
        first = step - step % self.stretch
        if first != self._first:
            self._places, self._first = self.ahead(first), first
        return self._places[step - first]

    def ahead(self, first: int) -> Tensor:
        """Windows of this worker in the `stretch` steps from `first`: (stretch, rows)."""
        number = self._batch * self.stretch
        places = self._order.places(first * self._batch, number, self._device)
        return places.view(self.stretch, self._batch)[:, self._rows].contiguous()
