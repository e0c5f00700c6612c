import numpy as np
import pytest

from nt_ray.market.embedded import load_embedded
from nt_ray.types import FloatArray


@pytest.fixture(scope="session")
def stocks() -> FloatArray:
    """Daily simple returns of 20 large stocks, 1,500 days up to 2022."""
    closes = load_embedded("sp500").closes[-1501:]
    returns = closes[1:] / closes[:-1] - 1.0
    returns.flags.writeable = False
    return np.asarray(returns)


@pytest.fixture(scope="session")
def index() -> FloatArray:
    """Daily simple returns of the S&P 500 on the same days."""
    closes = load_embedded("sp500-index").closes[-1501:, 0]
    return np.asarray(closes[1:] / closes[:-1] - 1.0)
