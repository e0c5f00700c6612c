import numpy as np
import pytest

from nt_ray.risk.stress.book import Book

NAMES = ("STOCK", "FUND", "BOND", "GOLD", "EURUSD")
CLASSES = ("equity", "equity", "fixed_income", "commodity", "fx")
WEIGHTS = np.array([0.5, 0.2, 0.4, 0.1, -0.3])
VOLATILITIES = np.array([0.015, 0.011, 0.004, 0.010, 0.006])
CORRELATIONS = np.array(
    [
        [1.0, 0.8, -0.2, 0.1, 0.2],
        [0.8, 1.0, -0.1, 0.2, 0.1],
        [-0.2, -0.1, 1.0, 0.2, -0.1],
        [0.1, 0.2, 0.2, 1.0, 0.3],
        [0.2, 0.1, -0.1, 0.3, 1.0],
    ]
)


@pytest.fixture
def covariance() -> np.ndarray:
    return CORRELATIONS * np.outer(VOLATILITIES, VOLATILITIES)


@pytest.fixture
def book(covariance: np.ndarray) -> Book:
    """Five assets of four classes, one of them short."""
    return Book(names=NAMES, weights=WEIGHTS, classes=CLASSES, covariance=covariance)
