from collections.abc import Callable

import numpy as np
import pytest

Growth = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


@pytest.fixture
def slate() -> tuple[np.ndarray, np.ndarray]:
    """Random scenarios of ten bets with their probabilities; some have an edge, none loses more than its stake."""
    rng = np.random.default_rng(3)
    gains = np.maximum(rng.normal(0.03, 0.3, (60, 10)), -1.0)
    chances = rng.uniform(size=60)
    return gains, chances / chances.sum()
