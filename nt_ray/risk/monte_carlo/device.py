"""The same scenarios on a device of torch: words by the same counters, bit for bit; normals in double precision.

Torch has no unsigned words, so they lie in lanes of 64 bits. Products of two words are built of halves, which never
overflow; all of it is whole numbers, so the words are equal on every device. Normals agree with those of the compiled
code to the rounding of the logarithm and the sine.
"""

import math
from typing import Final

import torch

from nt_ray.errors import RiskError
from nt_ray.portfolio.tail_count import check_tail, tail_size
from nt_ray.risk.monte_carlo.draw import Law
from nt_ray.risk.monte_carlo.scenarios import Plan, check_portfolios
from nt_ray.risk.monte_carlo.words import (
    INCREMENTS,
    MOST_SCENARIOS,
    MULTIPLIERS,
    NORMAL32,
    NORMAL64,
    ROUNDS,
    seed_key,
)

_LOW: Final = 0xFFFFFFFF
_HALF: Final = 0xFFFF
BLOCK: Final = 1 << 18
"""Scenarios drawn at once."""


def check_device(device: str) -> torch.device:
    """Return a device that is there."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise RiskError(f"Device {device!r} is not on this machine. Use 'cpu', or a machine with a GPU.")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise RiskError(f"Device {device!r} is unknown ({error}). Use 'cpu' or 'cuda'.") from error


def words(seed: int, scenarios: torch.Tensor, place: int, period: int, purpose: int) -> tuple[torch.Tensor, ...]:
    """Return four words, in lanes of 64 bits, for each scenario's number (n,); as `fill_words` does."""
    key0, key1 = seed_key(seed)
    c0, c1 = scenarios, torch.full_like(scenarios, place)
    c2, c3 = torch.full_like(scenarios, period), torch.full_like(scenarios, purpose)
    for _ in range(ROUNDS):
        high0, low0 = _product(c0, MULTIPLIERS[0])
        high1, low1 = _product(c2, MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
        key0, key1 = (key0 + INCREMENTS[0]) & _LOW, (key1 + INCREMENTS[1]) & _LOW
    return c0, c1, c2, c3


def normals(seed: int, scenarios: torch.Tensor, assets: int, period: int, *, double: bool) -> torch.Tensor:
    """Return (assets, n) standard normals of the scenarios in double precision, of 32 or of 53 random bits."""
    rows: list[torch.Tensor] = []
    for place in range(-(-assets // (2 if double else 4))):
        w = words(seed, scenarios, place, period, NORMAL64 if double else NORMAL32)
        if double:
            radius = ((w[0] >> 5) * 2**26 + (w[1] >> 6)).double() + 0.5
            rows += _pair(radius * 2.0**-53, (w[2] * 2**21 + (w[3] >> 11)).double() * 2.0**-53)
        else:
            for radius_word, angle in (w[:2], w[2:]):
                rows += _pair((radius_word.double() + 0.5) * 2.0**-32, angle.double() * 2.0**-32)
    return torch.stack(rows[:assets])


def returns(plan: Plan, first: int, count: int, device: str = "cpu") -> torch.Tensor:
    """Return (N, count) scenarios of a plan with a normal model, from number `first` on, in double precision."""
    if first < 0 or first + count > MOST_SCENARIOS:
        raise RiskError(f"Scenario {first + count - 1} has no number. Draw at most {MOST_SCENARIOS}.")
    law = _normal_law(plan)
    place = check_device(device)
    scenarios = torch.arange(first, first + count, dtype=torch.int64, device=place)
    drawn = normals(plan.seed, scenarios, law.root.shape[1], 0, double=plan.double)
    root, mean = (torch.from_numpy(a).to(place) for a in (law.root, law.mean))
    return root @ drawn + mean[:, None]


def evaluate(
    plan: Plan, weights: torch.Tensor, confidence: float, device: str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return VaR and ES (P,) of portfolios (P, N) on the scenarios of a plan with a normal model."""
    check_tail(plan.count, confidence)
    rows = check_portfolios(weights.cpu().numpy(), plan.model.assets)
    held = torch.from_numpy(rows).to(check_device(device))
    losses = torch.cat(
        [-held @ returns(plan, first, min(BLOCK, plan.count - first), device) for first in range(0, plan.count, BLOCK)],
        dim=1,
    )
    tail, rank = tail_size(plan.count, confidence)
    worst = torch.topk(losses, rank, dim=1).values
    var = worst[:, -1]
    return var, var + (worst - var[:, None]).sum(dim=1) / tail


def _normal_law(plan: Plan) -> Law:
    law = plan.model.law(plan.horizon)
    if law.degrees:
        raise RiskError("On a device only normal models are drawn. Use `make`, or a NormalModel.")
    return law


def _product(word: torch.Tensor, multiplier: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Both words of word times multiplier."""
    low, high = word * (multiplier & _HALF), word * (multiplier >> 16)
    middle = high + (low >> 16)
    return middle >> 16, ((middle & _HALF) << 16) | (low & _HALF)


def _pair(uniform: torch.Tensor, turn: torch.Tensor) -> list[torch.Tensor]:
    radius, angle = torch.sqrt(-2.0 * torch.log(uniform)), turn * (2.0 * math.pi)
    return [radius * torch.cos(angle), radius * torch.sin(angle)]
