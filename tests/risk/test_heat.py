from decimal import Decimal

import pytest

from nt_ray.risk.heat import Stop, at_risk


@pytest.mark.parametrize(
    ("position", "stops", "loss"),
    [
        (100, [], 5000),
        (-100, [], 5000),
        (0, [(-1, 48, 100)], 0),
        (100, [(-1, 48, 100)], 200),
        (100, [(-1, 48, 40)], 80 + 60 * 50),
        (100, [(1, 52, 100)], 5000),
        (-100, [(1, 53, 100)], 300),
        # A trailing profit: a stop that locks a gain in puts nothing at risk.
        (100, [(-1, 51, 100)], 0),
        # More stops than position: the farthest count.
        (100, [(-1, 49, 100), (-1, 45, 60)], 60 * 5 + 40 * 1),
    ],
)
def test_a_position_loses_down_to_its_stops(position: int, stops: list[tuple[int, int, int]], loss: int) -> None:
    orders = [Stop(sign, Decimal(price), Decimal(quantity)) for sign, price, quantity in stops]
    assert at_risk(Decimal(position), Decimal(50), orders) == loss
