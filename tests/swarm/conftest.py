from collections.abc import Callable

import numpy as np
import pytest
from numba import njit

from nt_ray.strategies.base import STEP_SIGNATURE, Parameter, Strategy
from nt_ray.swarm.messages import AgentSpec

BARS, SYMBOLS = 150, 6


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def drift_step(state, bar, params, targets):
    price = bar[0, 3]
    state[0] += 1.0
    if state[0] == 1.0:
        state[1] = price
    targets[0] = np.tanh((price - state[1]) * params[0])
    state[1] = 0.9 * state[1] + 0.1 * price
    if state[0] < 5.0:
        return 0.0
    return min(abs(targets[0]) + 0.1, 1.0)


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def gap_step(state, bar, params, targets):
    state[0] = 0.8 * state[0] + 0.2 * np.log(bar[0, 3] / bar[1, 3])
    gap = np.log(bar[0, 3] / bar[1, 3]) - state[0]
    targets[0] = -np.tanh(params[0] * gap)
    targets[1] = np.tanh(params[0] * gap)
    return 0.5


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def brittle_step(state, bar, params, targets):
    state[0] += 1.0
    if state[0] == params[0]:
        raise ValueError("this bar breaks me")
    targets[0] = 0.25
    return 1.0


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def wild_step(state, bar, params, targets):
    state[0] += 1.0
    targets[0] = params[0]
    return params[1]


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def counting_step(state, bar, params, targets):
    state[0] += 1.0
    targets[0] = 1.0 if state[0] > params[0] else -1.0
    return 1.0


@njit(STEP_SIGNATURE, cache=True, nogil=True)
def touchy_step(state, bar, params, targets):
    """Raises at every bar with a falling price, before it has remembered `params[0]` rising ones."""
    rising = bar[0, 3] >= state[1]
    state[1] = bar[0, 3]
    if not rising and state[0] < 3.0:
        raise ValueError("falling")
    state[0] += 1.0
    targets[0] = np.tanh(state[0] / params[0])
    return 1.0


def _parameter(name: str) -> Parameter:
    return Parameter(name, 1.0, -1e9, 1e9, "toy")


LIBRARY = {
    "drift": Strategy("drift", "", "", (_parameter("gain"),), 1, lambda p: 2, drift_step),
    "gap": Strategy("gap", "", "", (_parameter("gain"),), 2, lambda p: 1, gap_step),
    "brittle": Strategy("brittle", "", "", (_parameter("at"),), 1, lambda p: 1, brittle_step),
    "wild": Strategy("wild", "", "", (_parameter("target"), _parameter("confidence")), 1, lambda p: 1, wild_step),
    "touchy": Strategy("touchy", "", "", (_parameter("scale"),), 1, lambda p: 2, touchy_step),
    "counting": Strategy("counting", "", "", (_parameter("after"),), 1, lambda p: 1, counting_step),
}


@pytest.fixture(scope="session")
def find() -> Callable[[str], Strategy]:
    return LIBRARY.__getitem__


@pytest.fixture(scope="session")
def values() -> np.ndarray:
    random = np.random.default_rng(3)
    closes = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, (BARS, SYMBOLS, 1)), axis=0))
    bars = np.ascontiguousarray(closes * np.ones(5))
    bars.setflags(write=False)
    return bars


@pytest.fixture(scope="session")
def specs() -> tuple[AgentSpec, ...]:
    """Twenty agents: drift over two symbols each, every fifth a gap agent over four."""
    made = []
    for i in range(20):
        if i % 5 == 4:
            made.append(AgentSpec(i, f"gap/{i}", "gap", (i % 6, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6), (5.0 + i,)))
        else:
            made.append(AgentSpec(i, f"drift/{i}", "drift", ((i + 2) % 6, i % 6), (0.1 + 0.1 * i,)))
    return tuple(made)
