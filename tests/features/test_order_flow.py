import numpy as np
import pandas as pd
import pytest

from nt_ray.features.order_flow import ORDER_FLOW
from nt_ray.types import FloatArray


def quotes(*rows: tuple[float, float, float, float]) -> FloatArray:
    return np.column_stack([np.zeros((len(rows), 5)), np.array(rows)])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ((10.0, 130.0, 11.0, 50.0), 30.0),
        ((10.0, 100.0, 11.0, 20.0), 30.0),
        ((10.5, 70.0, 11.0, 50.0), 70.0),
        ((9.5, 70.0, 11.0, 50.0), -100.0),
        ((10.0, 100.0, 10.5, 40.0), -40.0),
        ((10.0, 100.0, 11.5, 40.0), 50.0),
        ((10.0, 100.0, 11.0, 50.0), 0.0),
    ],
)
def test_what_arrives_between_two_quotes(now: tuple[float, float, float, float], expected: float) -> None:
    found = ORDER_FLOW(quotes((10.0, 100.0, 11.0, 50.0), now), length=1)[:, 0]
    assert np.isnan(found[0])
    assert found[1] == expected


@pytest.mark.parametrize("length", [1, 20])
def test_it_is_the_rolling_sum_of_the_published_formula(quoted: FloatArray, length: int) -> None:
    bid, bid_size, ask, ask_size = quoted[:, 5:].T
    rises, falls = np.diff(bid) >= 0, np.diff(bid) <= 0
    events = rises * bid_size[1:] - falls * bid_size[:-1]
    rises, falls = np.diff(ask) >= 0, np.diff(ask) <= 0
    events += rises * ask_size[:-1] - falls * ask_size[1:]
    expected = pd.Series(np.concatenate([[np.nan], events])).rolling(length).sum()
    np.testing.assert_allclose(ORDER_FLOW(quoted, length=length)[:, 0], expected, rtol=1e-9, atol=1e-9)
