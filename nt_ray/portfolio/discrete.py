"""Discrete allocation: weights as whole lots, and the cash that is left over.

Money is counted in whole quanta, so what is bought and what is left sum exactly to the capital. The misfit of an
allocation is the sum of |wanted - held| over the assets and cash; a short position counts negative.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import block_array, coo_array, diags_array, eye_array

from nt_ray.errors import RiskError
from nt_ray.portfolio.inputs import check_weights
from nt_ray.portfolio.quanta import check_countable, from_quanta, lot_values, to_quanta
from nt_ray.types import FloatArray, IntArray

AllocationMethod: TypeAlias = Literal["greedy", "exact"]
_SLACK = 1e-9
"""Relative tolerance of the integer program's own bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Whole lots of each asset, and what is left."""

    lots: IntArray
    """(N,) signed lots."""
    cash: Decimal
    """Capital less the value of the lots; negative where the weights sum to more than 1."""
    weights: FloatArray
    """(N,) weights of the lots."""
    misfit: Decimal
    """Sum of |wanted - held| over assets and cash, in money."""
    bound: Decimal
    """No allocation has a smaller misfit than this; zero where nothing is proven (greedy)."""
    method: str


def allocate(
    weights: npt.ArrayLike,
    prices: Sequence[Decimal],
    capital: Decimal,
    *,
    lot_sizes: Sequence[Decimal] | None = None,
    method: AllocationMethod = "exact",
    seconds: float = 10.0,
) -> Allocation:
    """Turn weights into whole lots that cost no more than the weights allow.

    Parameters
    ----------
    weights
        (N,) fractions of the capital; negative is short. Their sum less 1 is what may be borrowed.
    prices
        (N,) positive prices of one unit.
    capital
        Positive equity.
    lot_sizes
        (N,) units in a lot; one unit where none are given.
    method
        exact: the least misfit, by an integer program in HiGHS. greedy: round towards zero, then add the lot that
        helps most until none helps; thousands of assets in milliseconds.
    seconds
        Time after which an exact search stops with the best it has; `bound` then says how good that is at worst.
    """
    if method not in get_args(AllocationMethod):
        raise RiskError(f"Unknown method {method!r}. Known: {', '.join(get_args(AllocationMethod))}.")
    if capital.is_nan() or not capital > 0:
        raise RiskError(f"Capital {capital} is not positive. Give the equity to allocate.")
    fractions = check_weights(weights, len(prices))
    money = to_quanta(capital, "Capital")
    units = lot_values(prices, lot_sizes)
    check_countable(fractions * float(money))
    wanted = np.rint(fractions * float(money)).astype(np.int64)
    spendable = money if fractions.sum() <= 1.0 + 1e-12 else int(wanted.sum())
    lots = _greedy(wanted, units, spendable)
    bound = 0
    if method == "exact":
        lots, bound = _exact(wanted, units, spendable, lots, seconds)
    held = lots * units
    return Allocation(
        lots=lots, cash=from_quanta(money - int(held.sum())), weights=held / float(money), method=method,
        misfit=from_quanta(_misfit(wanted, held)), bound=from_quanta(bound),
    )  # fmt: skip


def _greedy(wanted: IntArray, units: IntArray, spendable: int) -> IntArray:
    """Round towards zero, then trade the lot that helps most while one helps."""
    signs = np.sign(wanted)
    lots = signs * (np.abs(wanted) // units)
    steps = signs * units
    left = wanted - lots * units
    while True:
        gap = int(left.sum())
        spent = int(wanted.sum()) - gap
        gain = np.abs(left) - np.abs(left - steps) + abs(gap) - np.abs(gap - steps)
        if spent > spendable:
            # Fewer short lots were sold than bought ones need: sell one more, or buy one less.
            fewer = np.abs(left) - np.abs(left + steps) + abs(gap) - np.abs(gap + steps)
            gain = np.where(signs < 0, gain, fewer)
            usable, direction = (signs < 0) | (lots > 0), -1
        else:
            usable, direction = (signs != 0) & (spent + steps <= spendable) & (gain > 0), 1
        if not usable.any():
            return lots
        best = int(np.argmax(np.where(usable, gain, np.iinfo(np.int64).min)))
        change = direction if signs[best] > 0 else -1
        lots[best] += change
        left[best] -= change * units[best]


def _exact(wanted: IntArray, units: IntArray, spendable: int, start: IntArray, seconds: float) -> tuple[IntArray, int]:
    """Least misfit by an integer program, and a proven bound of it; no worse than `start`."""
    assets = wanted.size
    scale = float(np.abs(wanted).max()) or 1.0
    worst = _misfit(wanted, start * units)
    answer = milp(
        np.concatenate([np.zeros(assets), np.ones(assets + 1)]),
        integrality=np.concatenate([np.ones(assets), np.zeros(assets + 1)]),
        bounds=_reach(wanted, units, worst),
        constraints=_program(wanted / scale, units / scale, spendable / scale),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    bound = min(worst, max(0, math.floor(float(answer.mip_dual_bound or 0.0) * scale * (1.0 - _SLACK))))
    if answer.x is None:
        return start, bound
    found = np.rint(answer.x[:assets]).astype(np.int64)
    fits = int((found * units).sum()) <= spendable
    return (found, bound) if fits and _misfit(wanted, found * units) <= worst else (start, bound)


def _reach(wanted: IntArray, units: IntArray, worst: int) -> Bounds:
    """Bounds of lots and gaps: further away, one asset alone has more misfit than is known to be possible."""
    steps = np.ceil(worst / units) + 1.0
    lower = np.floor(wanted / units) - steps
    upper = np.ceil(wanted / units) + steps
    gaps = wanted.size + 1
    return Bounds(
        np.concatenate([np.where(wanted < 0, lower, 0.0), np.zeros(gaps)]),
        np.concatenate([np.where(wanted > 0, upper, 0.0), np.full(gaps, np.inf)]),
    )


def _program(target: FloatArray, cost: FloatArray, spendable: float) -> LinearConstraint:
    """Gaps are at least |target - cost lots|, that of cash at least |their sum|, and no more is spent than allowed."""
    assets = target.size
    value, one = diags_array(cost), eye_array(assets)
    column, row = coo_array((assets, 1)), coo_array((1, assets))
    whole = cost[None, :]
    rows = block_array(
        [
            [value, one, column],
            [-value, one, column],
            [whole, row, np.ones((1, 1))],
            [-whole, row, np.ones((1, 1))],
            [whole, row, np.zeros((1, 1))],
        ]
    )
    total = float(target.sum())
    lowest = np.concatenate([target, -target, [total, -total, -np.inf]])
    return LinearConstraint(rows.tocsc(), lowest, np.append(np.full(2 * assets + 2, np.inf), spendable))


def _misfit(wanted: IntArray, held: IntArray) -> int:
    left = wanted - held
    return int(np.abs(left).sum()) + abs(int(left.sum()))
